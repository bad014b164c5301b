"""Move all rows of a SQLite database to an empty PostgreSQL database, which replaces it."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.orm import Session

from screening.operating.backup import CannotCopy, Progress
from screening.storage import audit
from screening.storage.database import MOVED, check_keys
from screening.storage.encryption import Keys
from screening.storage.tables import AuditHeadRow, Base, EditionRow, InForceRow, KeyCheckRow

ROWS = 500  # read and written at once
# tables that `flask init` has filled, children first
PREPARED = [
    Base.metadata.tables[row.__tablename__]
    for row in (InForceRow, EditionRow, AuditHeadRow, KeyCheckRow)
]
RELEASE = text("SELECT version_num FROM alembic_version")


def move(
    source: Engine, url: str, keys: Keys, *, now: datetime, by: str, progress: Progress
) -> int:
    """Copy every row, prove the copy, close the source for writing, and return the number of rows.

    Nobody can write to the source meanwhile. `progress` takes the numbers of rows done and in all.
    Raises CannotCopy.
    """
    is_moved = False
    try:
        target = create_engine(url, poolclass=NullPool)
        if (source.dialect.name, target.dialect.name) != ("sqlite", "postgresql"):
            raise CannotCopy(
                "Only from SQLite to PostgreSQL; for others there are `flask backup` "
                "and `flask restore`"
            )
        with source.execution_options(writes=True).begin() as sqlite:
            with target.begin() as postgresql:
                _refuse_unless_prepared(sqlite, postgresql, keys)
                rows = _copy(sqlite, postgresql, progress)
                _continue_log(postgresql, keys, now=now, by=by, rows=rows)
                # From now on, a server that still runs with the old database gets an error instead
                # of writing there.
                for statement in _closing():
                    sqlite.exec_driver_sql(statement)
            is_moved = True
    except (ArgumentError, DatabaseError) as err:
        reason = str(getattr(err, "orig", err)).strip().splitlines()[0]
        message = f"Nothing was moved: {reason} (the target has to be prepared by `flask init`)"
        if is_moved:
            message = (
                "Everything is in PostgreSQL now, but the SQLite file could not be closed for "
                f"writing: {reason}. Let no server use it any more: set database_url, then move "
                "the file away"
            )
        raise CannotCopy(message) from err
    return rows


def _refuse_unless_prepared(source: Connection, target: Connection, keys: Keys) -> None:
    if source.scalar(RELEASE) != target.scalar(RELEASE):
        raise CannotCopy("One of the databases is of another release; run `flask init` for both")
    with Session(target) as session:
        check_keys(session, keys)
    if filled := [
        table.name
        for table in Base.metadata.sorted_tables
        if table not in PREPARED and _count(target, table)
    ]:
        raise CannotCopy(f"The target is not empty ({', '.join(filled)}); nothing is ever replaced")


def _copy(source: Connection, target: Connection, progress: Progress) -> int:
    for table in PREPARED:
        target.execute(table.delete())
    total = sum(_count(source, table) for table in Base.metadata.sorted_tables)
    done = 0
    for table in Base.metadata.sorted_tables:
        for part in _parts(source, table):
            target.execute(insert(table), part)
            done += len(part)
            progress(done, total)
        if _fingerprint(source, table) != _fingerprint(target, table):
            raise CannotCopy(f"{table.name} did not arrive as it was; nothing was moved")
        # New rows get numbers after those of the copied rows.
        if (column := table.autoincrement_column) is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            last = select(func.max(column)).scalar_subquery()
            target.execute(select(func.setval(sequence, last)))
    return done


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _parts(connection: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    rows = connection.execute(select(table), execution_options={"yield_per": ROWS})
    for part in rows.mappings().partitions():
        yield [dict(row) for row in part]


def _fingerprint(connection: Connection, table: Table) -> tuple[int, int]:
    """Return the number of rows, and the sum of their hashes, which does not depend on order."""
    count = 0
    total = 0
    for part in _parts(connection, table):
        count += len(part)
        total += sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in part)
    return count, total


def _continue_log(target: Connection, keys: Keys, *, now: datetime, by: str, rows: int) -> None:
    """Prove the keys and the audit chain of the copy, and note the move in its audit log."""
    with Session(target) as session:
        check_keys(session, keys)
        actor = audit.Actor(session=session, keys=keys, now=now, by=by)
        actor.note("moved", detail=f"{rows} rows to PostgreSQL")
        if faults := list(audit.verify(session, keys)):
            raise CannotCopy("\n".join(["Nothing was moved, the audit log is not whole:", *faults]))


def _closing() -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            name = f"{MOVED}_{table.name}_{verb.lower()}"
            refuse = "SELECT RAISE(ABORT, 'this database was moved to PostgreSQL');"
            yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table.name} BEGIN {refuse} END"
