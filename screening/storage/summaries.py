"""Printed summaries, sealed; found by their check code or by the bytes of their file.

Patients' copies of their answers are stored as well, so that none is printed twice.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import CopyRow, ScreeningRow, SummaryRow

# Bytes to which PDFs are padded: nearly every summary needs the first length, one with Chinese,
# Japanese or Korean text the second.
LENGTHS = (64 * 1024, 256 * 1024, 1024 * 1024)
_LENGTH = 4  # bytes of the length of the PDF, which stand before it
CHANGED = "what was printed was changed; restore the database from a backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSummary:
    """A summary that this clinic printed; `number` is the number of entries that it includes.

    `is_newest` is false where an entry was recorded since.
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
    """Store a printed summary, with the SHA-256 of its `unsigned` bytes."""
    row = SummaryRow(screening_id=screening_id, number=number, made_at=now)
    row.code = _code(keys, code)
    row.file = _file(keys, pdf)
    _seal(row, keys, pdf, unsigned)
    session.add(row)
    session.flush()


def _seal(row: SummaryRow | CopyRow, keys: Keys, pdf: bytes, unsigned: bytes) -> None:
    content = len(pdf).to_bytes(_LENGTH) + pdf
    # The digest first: operating.rotate_key sees from its key alone whether both are sealed again.
    digest = f"{hashlib.sha256(unsigned).hexdigest()} {len(unsigned)}"
    row.seal(keys, "sealed_digest", digest.encode())
    padded = next((length for length in LENGTHS if len(content) <= length), len(content))
    row.seal(keys, "sealed_pdf", content.ljust(padded, b"\0"))


def add_copy(session: Session, keys: Keys, *, screening_id: str, language: str, pdf: bytes) -> None:
    """Store a patient's copy, unless a copy in this language was stored meanwhile."""
    if session.get(CopyRow, (screening_id, language)) is None:
        row = CopyRow(screening_id=screening_id, language=language)
        _seal(row, keys, pdf, pdf)
        session.add(row)
        session.flush()


def find_copy(session: Session, keys: Keys, screening_id: str, language: str) -> bytes | None:
    """Return the patient's copy in a language, or None. Raises KeyFault where it was changed."""
    row = session.get(CopyRow, (screening_id, language))
    return None if row is None else _pdf(row, keys)


def prove_copies(session: Session, keys: Keys, screening_id: str) -> None:
    """Raise KeyFault where a patient's copy was changed."""
    for row in session.scalars(select(CopyRow).where(CopyRow.screening_id == screening_id)):
        _pdf(row, keys)


def find(session: Session, keys: Keys, screening: ScreeningRow) -> bytes | None:
    """Return the PDF with all entries of a screening, or None before it is printed.

    Raises KeyFault where it was changed.
    """
    row = session.get(SummaryRow, (screening.id, screening.entries))
    return None if row is None else pdf(row, keys)


def pdf(row: SummaryRow, keys: Keys) -> bytes:
    """Return the PDF of a row. Raises KeyFault where it was changed."""
    content = _pdf(row, keys)
    if _file(keys, content) != row.file:
        raise KeyFault(CHANGED)
    return content


def _pdf(row: SummaryRow | CopyRow, keys: Keys) -> bytes:
    padded = row.unseal(keys, "sealed_pdf")
    content = padded[_LENGTH : _LENGTH + int.from_bytes(padded[:_LENGTH])]
    digest, _, length = row.unseal(keys, "sealed_digest").decode().partition(" ")
    # A signature is added after the bytes that it signs.
    if hashlib.sha256(content[: int(length)]).hexdigest() != digest:
        raise KeyFault(CHANGED)
    return content


def numbers(session: Session, keys: Keys, screening_id: str) -> set[int]:
    """Return the numbers of a screening's stored summaries. Raises KeyFault for a changed one."""
    rows = session.scalars(select(SummaryRow).where(SummaryRow.screening_id == screening_id))
    return {row.number for row in rows if pdf(row, keys)}


def is_stored(session: Session, screening_id: str, number: int) -> bool:
    """Return whether the summary with this number of entries is stored. No cell is opened."""
    stored = select(SummaryRow.number).where(
        SummaryRow.screening_id == screening_id, SummaryRow.number == number
    )
    return session.scalar(stored) is not None


def by_code(session: Session, keys: Keys, code: str) -> StoredSummary | None:
    """Return the printed summary with this check code."""
    return _stored(session, SummaryRow.code == _code(keys, code))


def by_file(session: Session, keys: Keys, content: bytes) -> StoredSummary | None:
    """Return the printed summary whose PDF has exactly these bytes."""
    return _stored(session, SummaryRow.file == _file(keys, content))


def _stored(session: Session, condition: ColumnElement[bool]) -> StoredSummary | None:
    is_newest = (SummaryRow.number == ScreeningRow.entries).label("is_newest")
    query = select(ScreeningRow.reference, SummaryRow.number, SummaryRow.made_at, is_newest)
    joined = query.join(ScreeningRow, ScreeningRow.id == SummaryRow.screening_id)
    row = session.execute(joined.where(condition)).mappings().first()
    return None if row is None else StoredSummary(**row)


def _code(keys: Keys, code: str) -> bytes:
    return keys.authenticate("summary by code", code.encode())


def _file(keys: Keys, content: bytes) -> bytes:
    return keys.authenticate("summary by file", hashlib.sha256(content).digest())
