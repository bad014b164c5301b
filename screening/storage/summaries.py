"""Printed summaries, sealed, as they were handed out; found again by their check code or by their very bytes.

Patients' copies of their answers are kept beside them, so that none is printed twice.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import CopyRow, ScreeningRow, SummaryRow

# Bytes: nearly every summary has the first length, with Chinese, Japanese or Korean words the
# second.
LENGTHS = (64 * 1024, 256 * 1024, 1024 * 1024)
_LENGTH = 4  # bytes that say how long the PDF is
CHANGED = "what was printed was changed; restore the database from a backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A printed summary that this clinic made: edition `number` is the one with that many entries, beginning at 0.

    `is_newest` tells whether nothing was recorded since.
    """

    reference: str
    number: int
    made_at: datetime
    is_newest: bool


def add(
    session: Session,
    keys: Keys,
    *,
    screening_id: str,
    number: int,
    code: str,
    pdf: bytes,
    unsigned: bytes,
    now: datetime,
) -> None:
    """Store a printed summary; `unsigned` are its bytes before they were signed, of which the SHA-256 is kept."""
    row = SummaryRow(screening_id=screening_id, number=number, made_at=now)
    row.code = _code(keys, code)
    row.file = _file(keys, pdf)
    _seal(row, keys, pdf, unsigned)
    session.add(row)
    session.flush()


def _seal(row: SummaryRow | CopyRow, keys: Keys, pdf: bytes, unsigned: bytes) -> None:
    content = len(pdf).to_bytes(_LENGTH) + pdf
    # The digest first: storage.rotation tells from its key alone whether both are sealed anew.
    row.seal(
        keys, "sealed_digest", f"{hashlib.sha256(unsigned).hexdigest()} {len(unsigned)}".encode()
    )
    length = next((one for one in LENGTHS if len(content) <= one), len(content))
    row.seal(keys, "sealed_pdf", content.ljust(length, b"\0"))


def add_copy(session: Session, keys: Keys, *, screening_id: str, language: str, pdf: bytes) -> None:
    """Store a patient's copy, unless one in this language was stored meanwhile."""
    if session.get(CopyRow, (screening_id, language)) is None:
        row = CopyRow(screening_id=screening_id, language=language)
        _seal(row, keys, pdf, pdf)
        session.add(row)
        session.flush()


def find_copy(session: Session, keys: Keys, screening_id: str, language: str) -> bytes | None:
    """The patient's copy in a language, if it was printed.

    Raises KeyFault where it was changed since.
    """
    row = session.get(CopyRow, (screening_id, language))
    return None if row is None else _pdf(row, keys)


def prove_copies(session: Session, keys: Keys, screening_id: str) -> None:
    """Raise KeyFault where a patient's copy was changed since."""
    for row in session.scalars(select(CopyRow).where(CopyRow.screening_id == screening_id)):
        _pdf(row, keys)


def find(session: Session, keys: Keys, screening: ScreeningRow) -> bytes | None:
    """The PDF of a screening as it is now, if it was printed.

    Raises KeyFault where it was changed since.
    """
    row = session.get(SummaryRow, (screening.id, screening.entries))
    return None if row is None else pdf(row, keys)


def pdf(row: SummaryRow, keys: Keys) -> bytes:
    """The PDF of a row. Raises KeyFault where it is not the one that was stored."""
    found = _pdf(row, keys)
    if _file(keys, found) != row.file:
        raise KeyFault(CHANGED)
    return found


def _pdf(row: SummaryRow | CopyRow, keys: Keys) -> bytes:
    content = row.unseal(keys, "sealed_pdf")
    found = content[_LENGTH : _LENGTH + int.from_bytes(content[:_LENGTH])]
    digest, _, length = row.unseal(keys, "sealed_digest").decode().partition(" ")
    # A signature is added after the bytes that it signs.
    if hashlib.sha256(found[: int(length)]).hexdigest() != digest:
        raise KeyFault(CHANGED)
    return found


def numbers(session: Session, keys: Keys, screening_id: str) -> set[int]:
    """The editions of a screening that are stored. Raises KeyFault where one was changed since."""
    rows = session.scalars(select(SummaryRow).where(SummaryRow.screening_id == screening_id))
    return {row.number for row in rows if pdf(row, keys)}


def is_stored(session: Session, screening_id: str, number: int) -> bool:
    """Whether this edition of a screening is stored. Nothing is opened."""
    stored = select(SummaryRow.number).where(
        SummaryRow.screening_id == screening_id, SummaryRow.number == number
    )
    return session.scalar(stored) is not None


def by_code(session: Session, keys: Keys, code: str) -> Known | None:
    """The printed summary with this check code."""
    return _known(session, SummaryRow.code == _code(keys, code))


def by_file(session: Session, keys: Keys, content: bytes) -> Known | None:
    """The printed summary that is these very bytes."""
    return _known(session, SummaryRow.file == _file(keys, content))


def _known(session: Session, condition: ColumnElement[bool]) -> Known | None:
    is_newest = (SummaryRow.number == ScreeningRow.entries).label("is_newest")
    query = select(ScreeningRow.reference, SummaryRow.number, SummaryRow.made_at, is_newest)
    found = session.execute(
        query.join(ScreeningRow, ScreeningRow.id == SummaryRow.screening_id).where(condition)
    )
    row = found.mappings().first()
    return None if row is None else Known(**row)


def _code(keys: Keys, code: str) -> bytes:
    return keys.authenticate("summary by code", code.encode())


def _file(keys: Keys, content: bytes) -> bytes:
    return keys.authenticate("summary by file", hashlib.sha256(content).digest())
