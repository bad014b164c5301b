"""Sealing everything anew with the current data key."""

from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, delete, func, inspect, literal, or_, select, text, tuple_
from sqlalchemy.orm import Session

from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import (
    AuditHeadRow,
    ClockRow,
    DraftRow,
    EntryRow,
    InvitationRow,
    KeyCheckRow,
    PersonRow,
    ScreeningRow,
    Sealed,
    SignInRow,
    SummaryRow,
    TabletRow,
)

PART_BYTES = 256 * 1024  # sealed anew in one transaction: others who write wait for it
MOST_ROWS = 25
# In the order in which other transactions lock them, so that none of them waits for another in a circle.
TABLES: tuple[type[Sealed], ...] = (
    InvitationRow,
    TabletRow,
    DraftRow,
    ScreeningRow,
    EntryRow,
    SummaryRow,
    PersonRow,
    SignInRow,
    ClockRow,
    AuditHeadRow,
)


def left(session: Session, keys: Keys) -> int:
    """How many rows have a cell that is sealed with another key than the current one."""
    return sum(session.scalar(select(func.count()).select_from(one).where(_old(one, keys))) or 0 for one in TABLES)


def seal_anew(session: Session, keys: Keys) -> Iterator[int]:
    """Seal anew, part by part, what is not sealed with the current key; tell how many rows each part had.

    Each table is walked by its primary key, so that no row is looked at twice. May be begun again any time.
    """
    for table in TABLES:
        after: tuple[object, ...] | None = None
        while True:
            with write(session):
                after, done = _part(session, keys, table, after)
            yield done
            if after is None:
                break


def forget(session: Session, keys: Keys, write_file: Callable[[], None]) -> None:
    """Seal what is left while nobody else can write, then let `write_file` drop the keys that seal nothing any more."""
    with write(session):
        if session.get_bind().dialect.name == "postgresql":  # elsewhere there is only one writer
            names = ", ".join(table.__tablename__ for table in TABLES)
            session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        for table in TABLES:
            for row in session.scalars(select(table).where(_old(table, keys))).all():
                _seal(row, keys)
        session.flush()
        session.execute(delete(KeyCheckRow).where(KeyCheckRow.key_id != keys.current))
    write_file()  # only now: were it written before and the commit lost, nothing could be read again


def _part(
    session: Session, keys: Keys, table: type[Sealed], after: tuple[object, ...] | None
) -> tuple[tuple[object, ...] | None, int]:
    """Seal the rows that follow on the primary key `after`. Returns the last key or None, and how many rows."""
    key = inspect(table).primary_key
    size = sum((func.length(getattr(table, column)) for column in table.sealed_columns()), literal(0))
    query = select(*key, size, _old(table, keys)).order_by(*key).limit(MOST_ROWS)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*map(literal, after)))
    found, seen, done = session.execute(query).all(), 0, 0
    for *row_key, length, is_old in found:
        row = session.get(table, tuple(row_key), with_for_update=True, populate_existing=True) if is_old else None
        if row is not None:
            _seal(row, keys)
            done += 1
            seen += length
        after = tuple(row_key)
        if seen >= PART_BYTES:
            break
    session.flush()
    is_end = len(found) < MOST_ROWS and (not found or after == tuple(found[-1][:-2]))
    return None if is_end else after, done


def _seal(row: Sealed, keys: Keys) -> None:
    for column in row.sealed_columns():
        row.seal(keys, column, row.unseal(keys, column))


def _old(table: type[Sealed], keys: Keys) -> ColumnElement[bool]:
    prefix = f"{keys.current}:".encode()
    return or_(*(func.substr(getattr(table, column), 1, len(prefix)) != prefix for column in table.sealed_columns()))
