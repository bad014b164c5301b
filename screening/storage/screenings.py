"""Screenings: submitted questionnaires, sealed, each with the edition of its rule book."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NotRequired, TypedDict

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session, defer

from screening.domain.answers import Patient
from screening.domain.assessment import Assessment, Screening
from screening.domain.entries import Clarification, Entry, Status
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook
from screening.storage import editions, outbox, records, search
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import EntryRow, ScreeningRow, SearchRow

SHORT_PAD = 512  # bytes: the length of a usual cell reveals nothing about its content
LONG_PAD = 4096

# the columns to which a sealed state is bound
_BOUND_TO = f"{ScreeningRow.bound_to} {ScreeningRow.state_bound_to}".split()


class SealedState(TypedDict):
    """The values of a screening that lists show, sealed apart from the answers.

    `findings` are rule ids; for an open question the reason follows: `clarify-iud/unsure`.
    """

    outcome: int
    findings: list[str]
    until: str | None
    replaces: NotRequired[str]


class NoSuchScreening(Exception):
    """There is no screening with this reference, or it was deleted."""


def add(
    session: Session,
    keys: Keys,
    screening: Screening,
    *,
    book: RuleBook,
    draft_hash: str,
    jobs: Iterable[str] = outbox.PRINT,
) -> None:
    """Insert a screening, its jobs, and its edition, if that is not stored yet."""
    edition = book.edition
    assessment = evaluate(book, screening.established)
    editions.keep(session, edition, now=screening.submitted_at)
    row = ScreeningRow(
        id=uuid.uuid4().hex,
        reference=screening.reference,
        draft_hash=draft_hash,
        submitted_at=screening.submitted_at,
        language=screening.language,
        edition_digest=edition.digest,
        status=Status.NEW,
        entries=0,
        changed_at=screening.submitted_at,
    )
    row.seal(keys, "sealed_patient", records.encode(screening.patient, pad=SHORT_PAD))
    row.seal(keys, "sealed_answers", records.encode(screening.answers, pad=LONG_PAD))
    row.seal(keys, "sealed_state", records.encode(state_of(screening, assessment), pad=SHORT_PAD))
    session.add(row)
    session.flush()
    search.add(session, keys, row, screening.patient, screening.replaces)
    outbox.add(session, jobs, row, now=screening.submitted_at)


def row_of(session: Session, reference: str, *, lock: bool = False) -> ScreeningRow:
    """Return the row of a screening. Raises NoSuchScreening.

    With `lock`, no other transaction changes or deletes it meanwhile.
    """
    query = select(ScreeningRow).where(ScreeningRow.reference == reference)
    row = session.scalars(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoSuchScreening(reference)
    return row


def change(
    session: Session,
    keys: Keys,
    row: ScreeningRow,
    screening: Screening,
    assessment: Assessment,
    *,
    jobs: Iterable[str] = outbox.PRINT,
) -> None:
    """Store a screening's new status and its newest entry, if that is not stored yet, with jobs."""
    row.status = screening.status
    if len(screening.entries) > row.entries:
        entry = screening.entries[-1]
        kind = "clarification" if isinstance(entry, Clarification) else "review"
        added = EntryRow(screening_id=row.id, number=row.entries + 1, kind=kind, made_at=entry.at)
        added.seal(keys, "sealed_entry", records.encode(entry, pad=SHORT_PAD))
        session.add(added)
        row.entries += 1
        row.changed_at = entry.at
        row.announced_at = None
        row.acknowledged_at = None
        outbox.add(session, jobs, row, now=entry.at)
    row.seal(keys, "sealed_state", records.encode(state_of(screening, assessment), pad=SHORT_PAD))


def state_of(screening: Screening, assessment: Assessment) -> SealedState:
    """Return the state of a screening."""
    review = screening.review
    values: SealedState = {
        "outcome": int(assessment.outcome),
        "findings": [
            f"{finding.rule}/{finding.open}" if finding.open else finding.rule
            for finding in assessment.findings
        ],
        "until": review.until.isoformat() if review and review.until else None,
    }
    return values | {"replaces": screening.replaces} if screening.replaces else values


def state(row: ScreeningRow, keys: Keys) -> SealedState:
    """Return the state of a row. Raises KeyFault."""
    opened: SealedState = records.decode(row.unseal(keys, "sealed_state"))
    return opened


def states(
    session: Session, keys: Keys, *conditions: ColumnElement[bool], newest: int = 0
) -> Iterator[tuple[Row[*tuple[Any, ...]], SealedState | None]]:
    """Yield the plain columns and the state of each row; None where a state cannot be opened.

    With `newest`, yield at most that many rows, the newest first.
    """
    # Columns instead of objects: a new process reads all rows, and this takes a quarter less time.
    query = select(*(getattr(ScreeningRow, name) for name in _BOUND_TO), ScreeningRow.sealed_state)
    if newest:
        newest_first = query.order_by(ScreeningRow.submitted_at.desc(), ScreeningRow.id.desc())
        query = newest_first.limit(newest)
    for row in session.execute(query.where(*conditions).execution_options(yield_per=1000)):
        place = "|".join(map(str, row[:-1]))  # as `ScreeningRow.place` returns it
        try:
            plain = keys.unseal(
                row.sealed_state, table="screenings", column="sealed_state", row=place
            )
            yield row, records.decode(plain)
        except KeyFault:
            yield row, None


def together(session: Session, keys: Keys, first: str) -> list[str]:
    """Return the references of a screening and of the patient's later versions, oldest first."""
    versions = or_(ScreeningRow.reference == first, search.is_later(keys, first))
    query = select(ScreeningRow.reference).where(versions)
    return list(session.scalars(query.order_by(ScreeningRow.submitted_at, ScreeningRow.id)))


def newest(session: Session, keys: Keys, firsts: Iterable[str]) -> dict[str, str]:
    """Return, by the first reference, that of the newest screening in which it was changed."""
    tokens = {search.later_token(keys, first): first for first in firsts}
    query = (
        select(SearchRow.token, ScreeningRow.reference)
        .join(ScreeningRow, ScreeningRow.id == SearchRow.screening_id)
        .where(SearchRow.token.in_(tokens))
        .order_by(ScreeningRow.submitted_at, ScreeningRow.id)
    )
    later = {tokens[bytes(token)]: reference for token, reference in session.execute(query)}
    return {first: later.get(first, first) for first in tokens.values()}


def find(session: Session, keys: Keys, *conditions: ColumnElement[bool]) -> Screening | None:
    """Return the screening that meets the conditions, such as `ScreeningRow.id == id`, or None."""
    row = session.scalars(select(ScreeningRow).where(*conditions)).one_or_none()
    return None if row is None else read(session, keys, row)


def rows(session: Session, references: list[str]) -> dict[str, ScreeningRow]:
    """Return the rows with these references, without their answers, by reference."""
    query = select(ScreeningRow).where(ScreeningRow.reference.in_(references))
    without_answers = query.options(defer(ScreeningRow.sealed_answers))
    return {row.reference: row for row in session.scalars(without_answers)}


def patient(row: ScreeningRow, keys: Keys) -> Patient:
    """Return the patient of a row."""
    return records.patient(records.decode(row.unseal(keys, "sealed_patient")))


def readable_patient(row: ScreeningRow, keys: Keys) -> Patient | None:
    """Return the patient of a row, or None where it cannot be opened."""
    with suppress(KeyFault):
        return patient(row, keys)
    return None


def count(session: Session, *conditions: ColumnElement[bool]) -> int:
    """Return the number of screenings that meet the conditions."""
    return session.scalar(select(func.count()).select_from(ScreeningRow).where(*conditions)) or 0


def all_rows(session: Session, *conditions: ColumnElement[bool]) -> Iterator[ScreeningRow]:
    """Yield the row of each screening that meets the conditions, oldest first, read in parts."""
    query = select(ScreeningRow).where(*conditions).order_by(ScreeningRow.submitted_at)
    yield from session.scalars(query.execution_options(yield_per=100))


def edition(session: Session, keys: Keys, screening_id: str, number: int) -> Screening:
    """Return a screening with its first `number` entries only. Raises KeyFault."""
    whole = read(session, keys, session.get_one(ScreeningRow, screening_id))
    return replace(whole, entries=whole.entries[:number])


def read(session: Session, keys: Keys, row: ScreeningRow) -> Screening:
    """Return the screening of a row. Raises KeyFault where a value was changed or is missing."""
    entries: tuple[Entry, ...] = ()
    if row.entries:
        of_screening = select(EntryRow).where(EntryRow.screening_id == row.id)
        entries = tuple(
            records.entry(records.decode(entry_row.unseal(keys, "sealed_entry")))
            for entry_row in session.scalars(of_screening.order_by(EntryRow.number))
        )
    stated = state(row, keys)  # checks that `row.entries` is the number that was sealed
    if len(entries) != row.entries:
        raise KeyFault(
            f"an entry of screening {row.reference} is missing; restore the database from a backup"
        )
    return Screening(
        reference=row.reference,
        submitted_at=row.submitted_at,
        language=row.language,
        patient=patient(row, keys),
        answers=records.answers(records.decode(row.unseal(keys, "sealed_answers"))),
        digest=row.edition_digest,
        status=Status(row.status),
        entries=entries,
        replaces=stated.get("replaces", ""),
    )
