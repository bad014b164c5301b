"""Screenings: what patients have sent, sealed, each with the edition of the rule book it was made under."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from screening.domain.assessment import Screening
from screening.domain.rules import Edition
from screening.storage import records
from screening.storage.encryption import KeyFault, Keys
from screening.storage.tables import EditionRow, ScreeningRow

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O or U


def new_reference() -> str:
    """A random reference such as `7F3K-9QWD` (40 bits)."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def normal_reference(typed: str) -> str:
    """A reference as people type it, in its one form: capitals, one hyphen, look-alikes read as Crockford says."""
    letters = "".join(character for character in typed.upper() if character.isalnum())
    letters = letters.replace("O", "0").replace("I", "1").replace("L", "1")
    return f"{letters[:4]}-{letters[4:]}"


def add(session: Session, keys: Keys, screening: Screening, *, edition: Edition, draft_hash: str) -> None:
    """Insert a screening and, where it is the first under its edition, the edition."""
    if session.get(EditionRow, edition.digest) is None:
        _add_edition(session, edition, screening.submitted_at)
    patient = screening.patient
    row = ScreeningRow(
        id=uuid.uuid4().hex,
        reference=screening.reference,
        draft_hash=draft_hash,
        submitted_at=screening.submitted_at,
        language=screening.language,
        edition_digest=edition.digest,
        name_index=keys.blind_index("name", patient.name),
        birth_date_index=keys.blind_index("birth_date", patient.birth_date.isoformat()),
        visit_index=keys.blind_index("visit", patient.visit),
    )
    for column, record in (
        ("sealed_patient", records.patient_to_json(patient)),
        ("sealed_answers", records.answers_to_json(screening.answers)),
    ):
        place = _place(row)
        setattr(row, column, keys.seal(records.encode(record), table="screenings", column=column, row=place))
    session.add(row)


def _place(row: ScreeningRow) -> str:
    """What a sealed cell is bound to: the whole plain part of its row, so that none of it can be exchanged unseen."""
    return "|".join(
        (
            row.id,
            row.reference,
            row.draft_hash,
            row.submitted_at.isoformat(),
            row.language,
            row.edition_digest,
        )
    )


def _add_edition(session: Session, edition: Edition, now: datetime) -> None:
    try:
        with session.begin_nested():
            session.add(EditionRow(digest=edition.digest, content=edition.content, first_used_at=now))
    except IntegrityError:
        # Another process has stored the same edition in this moment: that one will do.
        session.get_one(EditionRow, edition.digest)


def check_code(keys: Keys, screening: Screening) -> str:
    """A code such as `7F3K-9QWD-2MHX` (60 bits) that only this clinic's keys give for exactly this content."""
    content = records.encode(
        [
            screening.reference,
            screening.submitted_at.isoformat(),
            screening.digest,
            records.patient_to_json(screening.patient),
            records.answers_to_json(screening.answers),
        ]
    )
    bits = int.from_bytes(keys.authenticate("check-code", content)[:8]) >> 4
    letters = "".join(_ALPHABET[bits >> shift & 31] for shift in range(55, -1, -5))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def find(session: Session, keys: Keys, reference: str) -> Screening | None:
    """The screening with this reference, or None."""
    return _one(session, keys, ScreeningRow.reference == reference)


def find_by_draft(
    session: Session, keys: Keys, draft_hash: str, *, submitted_after: datetime | None = None
) -> Screening | None:
    """The screening that this draft became, or None; `submitted_after` leaves out older ones."""
    condition = ScreeningRow.draft_hash == draft_hash
    if submitted_after is not None:
        condition &= ScreeningRow.submitted_at > submitted_after
    return _one(session, keys, condition)


def edition_content(session: Session, digest: str) -> str:
    """The canonical JSON of an edition that a screening was made under. Raises KeyFault if it was changed since."""
    content = session.get_one(EditionRow, digest).content
    if hashlib.sha256(content.encode()).hexdigest() != digest:
        raise KeyFault(f"the stored rule book {digest[:16]} was changed; restore the database from a backup")
    return content


def _one(session: Session, keys: Keys, condition: ColumnElement[bool]) -> Screening | None:
    row = session.scalars(select(ScreeningRow).where(condition)).one_or_none()
    if row is None:
        return None

    patient = keys.unseal(row.sealed_patient, table="screenings", column="sealed_patient", row=_place(row))
    answers = keys.unseal(row.sealed_answers, table="screenings", column="sealed_answers", row=_place(row))
    return Screening(
        reference=row.reference,
        submitted_at=row.submitted_at,
        language=row.language,
        patient=records.patient_from_json(records.decode(patient)),
        answers=records.answers_from_json(records.decode(answers)),
        digest=row.edition_digest,
    )
