"""Sealing everything anew with the current data key."""

from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, delete, func, inspect, or_, select, text, tuple_
from sqlalchemy.orm import Session

from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import CopyRow, KeyCheckRow, Sealed, SummaryRow, tables_in_lock_order

PART = 50  # rows sealed anew in one transaction; those with a PDF, which are long
PDFS = 10


def tables() -> list[type[Sealed]]:
    """Return the tables to seal anew. The check texts stay: each is sealed with its own key."""
    return [table for table in tables_in_lock_order() if table is not KeyCheckRow]


def left(session: Session, keys: Keys) -> int:
    """How many rows have a cell that is sealed with another key than the current one."""
    return sum(
        session.scalar(select(func.count()).select_from(one).where(_old(one, keys))) or 0
        for one in tables()
    )


def seal_anew(session: Session, keys: Keys) -> Iterator[int]:
    """Seal part by part until nothing is left, and tell how many rows each had.

    May be begun again any time.
    """
    while left(session, keys):  # once more only where somebody has sealed with an old key meanwhile
        for table in tables():
            for part in _parts(session, keys, table):
                with write(session):
                    done = _seal(session, keys, table, part)
                yield done


def forget(session: Session, keys: Keys, write_file: Callable[[], None]) -> None:
    """Seal what is left, then let `write_file` drop the keys that seal nothing any more."""
    with write(session):
        # Nothing is done under this lock: it only waits for all who may have sealed before the new
        # key was written. Who begins after them follows data.key. SQLite has only one writer
        # anyway.
        if session.get_bind().dialect.name == "postgresql":
            names = ", ".join(table.__tablename__ for table in tables())
            session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
    for _ in seal_anew(session, keys):
        pass
    with write(session):
        session.execute(delete(KeyCheckRow).where(KeyCheckRow.key_id != keys.current))
    # only now: were it written before and the commit lost, nothing could be read again
    write_file()


def _parts(session: Session, keys: Keys, table: type[Sealed]) -> Iterator[ColumnElement[bool]]:
    """What tells the old rows of each part, in the order of the primary key.

    Finding them locks nothing.
    """
    columns = inspect(table).primary_key
    old = _old(table, keys)
    most = PDFS if table in (SummaryRow, CopyRow) else PART
    while True:
        found = session.execute(select(*columns).where(old).order_by(*columns).limit(most)).all()
        if not found:
            return
        last = tuple(found[-1])
        yield old & (tuple_(*columns) <= last)
        # never again from the beginning of the table
        old = _old(table, keys) & (tuple_(*columns) > last)


def _seal(session: Session, keys: Keys, table: type[Sealed], part: ColumnElement[bool]) -> int:
    rows = session.scalars(
        select(table).where(part).order_by(*inspect(table).primary_key).with_for_update()
    ).all()
    for row in rows:
        for column in table.sealed_columns():
            row.seal(keys, column, row.unseal(keys, column))
    session.flush()
    return len(rows)


def _old(table: type[Sealed], keys: Keys) -> ColumnElement[bool]:
    """Whether any cell has an older key.

    A PDF is not looked at, because SQLite reads the whole of a cell for its first bytes. It is
    always sealed right after the digest beside it, so its key is never older than that of the
    digest.
    """
    prefix = f"{keys.current}:".encode()
    columns = [
        getattr(table, column) for column in table.sealed_columns() if column != "sealed_pdf"
    ]
    return or_(*(func.substr(column, 1, len(prefix)) != prefix for column in columns))
