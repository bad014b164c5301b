"""Sealing everything anew with the current data key."""

from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, delete, func, inspect, or_, select, text
from sqlalchemy.orm import Session

from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import (
    AuditHeadRow,
    DraftRow,
    EntryRow,
    InvitationRow,
    KeyCheckRow,
    PersonRow,
    ScreeningRow,
    Sealed,
    SummaryRow,
)

PART = 100  # rows sealed anew in one transaction
# In the order in which other transactions lock them, so that none of them waits for another in a circle.
TABLES: tuple[type[Sealed], ...] = (
    InvitationRow,
    DraftRow,
    ScreeningRow,
    EntryRow,
    SummaryRow,
    PersonRow,
    AuditHeadRow,
)


def left(session: Session, keys: Keys) -> int:
    """How many rows have a cell that is sealed with another key than the current one."""
    return sum(session.scalar(select(func.count()).select_from(one).where(_old(one, keys))) or 0 for one in TABLES)


def seal_anew(session: Session, keys: Keys) -> Iterator[int]:
    """Seal row by row until none is left, and tell how many were done after each part. May be begun again any time."""
    for table in TABLES:
        while True:
            with write(session):
                done = _part(session, keys, table)
            if not done:
                break
            yield done


def forget(session: Session, keys: Keys, write_file: Callable[[], None]) -> None:
    """Seal what is left while nobody else can write, then let `write_file` drop the keys that seal nothing any more."""
    with write(session):
        if session.get_bind().dialect.name == "postgresql":  # elsewhere there is only one writer
            names = ", ".join(table.__tablename__ for table in TABLES)
            session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        while left(session, keys):
            for table in TABLES:
                _part(session, keys, table)
        session.execute(delete(KeyCheckRow).where(KeyCheckRow.key_id != keys.current))
    write_file()  # only now: were it written before and the commit lost, nothing could be read again


def _part(session: Session, keys: Keys, table: type[Sealed]) -> int:
    query = select(table).where(_old(table, keys)).order_by(*inspect(table).primary_key).limit(PART)
    rows = session.scalars(query.with_for_update()).all()
    for row in rows:
        for column in _sealed(table):
            row.seal(keys, column, row.unseal(keys, column))
    session.flush()
    return len(rows)


def _sealed(table: type[Sealed]) -> list[str]:
    return [column.key for column in inspect(table).columns if column.key.startswith("sealed_")]


def _old(table: type[Sealed], keys: Keys) -> ColumnElement[bool]:
    prefix = f"{keys.current}:".encode()
    return or_(*(func.substr(getattr(table, column), 1, len(prefix)) != prefix for column in _sealed(table)))
