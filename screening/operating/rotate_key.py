"""Seal all cells again with the current data key."""

from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, delete, func, inspect, or_, select, text, tuple_
from sqlalchemy.orm import Session

from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import CopyRow, KeyCheckRow, Sealed, SummaryRow, tables_in_lock_order

PART = 50  # rows sealed in one transaction
PDFS = 10  # the same for rows with a PDF, which are large


def tables() -> list[type[Sealed]]:
    """Return the tables to seal again. Check texts stay: each is sealed with its own key."""
    return [table for table in tables_in_lock_order() if table is not KeyCheckRow]


def left(session: Session, keys: Keys) -> int:
    """Return how many rows have a cell that is not sealed with the current key."""
    return sum(
        session.scalar(select(func.count()).select_from(table).where(_old(table, keys))) or 0
        for table in tables()
    )


def seal_anew(session: Session, keys: Keys) -> Iterator[int]:
    """Seal old rows part by part until none is left, and yield the number of rows of each part.

    An interrupted run can be repeated.
    """
    while left(session, keys):  # again only where another process has sealed with an old key
        for table in tables():
            for part in _parts(session, keys, table):
                with write(session):
                    done = _seal(session, keys, table, part)
                yield done


def forget(session: Session, keys: Keys, write_file: Callable[[], None]) -> None:
    """Seal the rows that are left, then call `write_file`, which removes unused keys."""
    with write(session):
        # Nothing is done under this lock: it only waits for transactions that may have begun with
        # the old key. Later ones read the new key in data.key. SQLite has one writer at a time.
        if session.get_bind().dialect.name == "postgresql":
            names = ", ".join(table.__tablename__ for table in tables())
            session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
    for _ in seal_anew(session, keys):
        pass
    with write(session):
        session.execute(delete(KeyCheckRow).where(KeyCheckRow.key_id != keys.current))
    # Only now: if the commit failed after the file was written, no row could be read again.
    write_file()


def _parts(session: Session, keys: Keys, table: type[Sealed]) -> Iterator[ColumnElement[bool]]:
    """Yield a condition for the old rows of each part, in the order of the primary key.

    The search locks no rows.
    """
    columns = inspect(table).primary_key
    old = _old(table, keys)
    most = PDFS if table in (SummaryRow, CopyRow) else PART
    while True:
        part = session.execute(select(*columns).where(old).order_by(*columns).limit(most)).all()
        if not part:
            return
        last = tuple(part[-1])
        yield old & (tuple_(*columns) <= last)
        # Continue after the part, not at the beginning of the table.
        old = _old(table, keys) & (tuple_(*columns) > last)


def _seal(session: Session, keys: Keys, table: type[Sealed], part: ColumnElement[bool]) -> int:
    query = select(table).where(part).order_by(*inspect(table).primary_key)
    rows = session.scalars(query.with_for_update()).all()
    for row in rows:
        for column in table.sealed_columns():
            row.seal(keys, column, row.unseal(keys, column))
    session.flush()
    return len(rows)


def _old(table: type[Sealed], keys: Keys) -> ColumnElement[bool]:
    """Return the condition that a cell of a row is sealed with an older key.

    Cells of PDFs are left out, because SQLite reads a whole cell for its first bytes. A PDF is
    always sealed right after the digest in its row, so its key is never older.
    """
    prefix = f"{keys.current}:".encode()
    columns = [
        getattr(table, column) for column in table.sealed_columns() if column != "sealed_pdf"
    ]
    return or_(*(func.substr(column, 1, len(prefix)) != prefix for column in columns))
