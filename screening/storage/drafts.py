"""Drafts: questionnaires being filled in, sealed, by the hash of the token in a cookie."""

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from textwrap import wrap

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from screening.domain.answers import Answers, Patient
from screening.domain.rules import Question, RuleBook
from screening.storage import records
from screening.storage.database import delete_in_order
from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import DraftRow

PAD = 4096  # bytes; more than the answers of a usual questionnaire need
# No vowels, so that no code is a word; no two characters that look alike.
_LETTERS = "0123456789CDFHJKMNPRTVWXY"
_LOOK_ALIKES = str.maketrans("OQILZSGBU", "00112568V")

# Built once: every page of the form executes this.
_FIND = select(DraftRow.sealed_draft).where(
    DraftRow.token_hash == bindparam("token_hash"), DraftRow.expires_at > bindparam("now")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """Text typed on the page at `path` that is no answer yet; if `checked`, it was refused."""

    path: str
    values: dict[str, list[str]]
    checked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The content of a questionnaire so far.

    `replaces` is the reference of the screening whose answers the patient changes. `moved` marks a
    draft that was continued on another device. A patient continues a draft elsewhere by its `code`;
    in the row of the code, `leads_to` is the hash of the draft's token. `left_empty` are the ids of
    questions on whose pages a paper form is empty or unreadable.
    """

    patient: Patient | None = None
    answers: Answers = field(default_factory=Answers)
    typed: Typed | None = None
    replaces: str = ""
    moved: bool = False
    code: str = ""
    leads_to: str = ""
    left_empty: tuple[str, ...] = ()

    def with_page(self, question: Question, page: Answers, *, left_empty: bool) -> "Draft":
        """Return the draft with all answers to one question's page replaced."""
        others = tuple(item_id for item_id in self.left_empty if item_id != question.id)
        answers = self.answers.with_page(question, page)
        is_empty = left_empty and answers.lacks(question)
        return replace(
            self, answers=answers, left_empty=(*others, question.id) if is_empty else others
        )

    def open_question(self, book: RuleBook) -> Question | None:
        """Return the first question that is still to be answered or to be left empty, or None."""
        return self.answers.open_question(book, self.left_empty)


class DraftMoved(Exception):
    """The patient continued this draft on another device."""


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token in hex; the database stores no tokens."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_code() -> str:
    """Return a random code such as `4KX-9TP-W2M` (41 bits)."""
    return "-".join(wrap("".join(secrets.choice(_LETTERS) for _ in range(9)), 3))


def hash_code(keys: Keys, code: str) -> str:
    """Return the key of a code's row, regardless of how the code was typed.

    The hash is keyed, because a fast computer can try all codes of 41 bits.
    """
    characters = filter(str.isalnum, unicodedata.normalize("NFKC", code).upper())
    return keys.authenticate("code", "".join(characters).translate(_LOOK_ALIKES).encode()).hex()


def find(
    session: Session, keys: Keys, token_hash: str, *, now: datetime, lock: bool = False
) -> Draft | None:
    """Return the draft, or None where there is none or it has expired.

    `lock` makes other writers wait (PostgreSQL). Raises DraftMoved.
    """
    query = _FIND.with_for_update() if lock else _FIND
    # The connection is faster than the session, which has no use for a single column.
    stored = session.connection().execute(query, {"token_hash": token_hash, "now": now})
    sealed = stored.scalar_one_or_none()
    if sealed is None:
        return None
    plain = keys.unseal(sealed, table="drafts", column="sealed_draft", row=token_hash)
    record = records.decode(plain)
    if record.get("moved"):  # drafts of older releases lack the last six fields
        raise DraftMoved
    typed = record.get("typed")
    return Draft(
        patient=record["patient"] and records.patient(record["patient"]),
        answers=records.answers(record["answers"]),
        typed=typed and Typed(**typed),
        replaces=record.get("replaces", ""),
        code=record.get("code", ""),
        leads_to=record.get("leads_to", ""),
        left_empty=tuple(record.get("left_empty", ())),
    )


def put(
    session: Session, keys: Keys, token_hash: str, draft: Draft, *, expires_at: datetime
) -> None:
    """Insert or replace a draft, and the row of its code, if it has one, with the same expiry."""
    row = DraftRow(token_hash=token_hash, expires_at=expires_at)
    record = {value.name: getattr(draft, value.name) for value in fields(draft)}
    record["expires_at"] = expires_at
    row.seal(keys, "sealed_draft", records.encode(record, pad=PAD))
    session.merge(row)
    if draft.code:
        pointer = Draft(leads_to=token_hash)
        put(session, keys, hash_code(keys, draft.code), pointer, expires_at=expires_at)


def check(row: DraftRow, keys: Keys) -> None:
    """Raise KeyFault where a row was changed."""
    record = records.decode(row.unseal(keys, "sealed_draft"))
    # Drafts of older releases hold no expiry.
    if record.get("expires_at", row.expires_at.isoformat()) != row.expires_at.isoformat():
        raise KeyFault("drafts.expires_at was changed; restore the database from a backup")


def remove(session: Session, token_hash: str, code_hash: str = "") -> None:
    """Delete a draft, if it exists, and the row of its code."""
    session.execute(delete(DraftRow).where(DraftRow.token_hash.in_((token_hash, code_hash))))


def remove_expired(session: Session, *, now: datetime) -> None:
    """Delete every expired draft, except those that another transaction has locked."""
    delete_in_order(session, DraftRow.token_hash, DraftRow.expires_at <= now, wait=False)
