"""All that a SQLite database holds, into an empty PostgreSQL database, which takes its place."""

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
# `flask init` has filled these, children first.
PREPARED = [
    Base.metadata.tables[row.__tablename__]
    for row in (InForceRow, EditionRow, AuditHeadRow, KeyCheckRow)
]
RELEASE = text("SELECT version_num FROM alembic_version")


def move(
    source: Engine, url: str, keys: Keys, *, now: datetime, by: str, progress: Progress
) -> int:
    """Copy every row, prove the copy, and close the source for writing.

    Returns how many rows. Raises CannotCopy.

    Nobody can write to the source meanwhile. `progress` is told the rows done and in all.
    """
    is_moved = False
    try:
        target = create_engine(url, poolclass=NullPool)
        if (source.dialect.name, target.dialect.name) != ("sqlite", "postgresql"):
            raise CannotCopy(
                "Only from SQLite to PostgreSQL; for others there are `flask backup` and `flask restore`"
            )
        with source.execution_options(writes=True).begin() as here:
            with target.begin() as there:
                _refuse_unless_prepared(here, there, keys)
                rows = _copy(here, there, progress)
                _continue_log(there, keys, now=now, by=by, rows=rows)
                # A server that somebody left running gets an error from here on, instead of writing
                # where nobody looks.
                for statement in _closing():
                    here.exec_driver_sql(statement)
            is_moved = True
    except (ArgumentError, DatabaseError) as err:
        why = str(getattr(err, "orig", err)).strip().splitlines()[0]
        if is_moved:
            raise CannotCopy(
                f"Everything is in PostgreSQL now, but the SQLite file could not be closed for writing: {why}. "
                "Let no server use it any more: set database_url, then move the file away"
            ) from err
        raise CannotCopy(
            f"Nothing was moved: {why} (the target has to be prepared by `flask init`)"
        ) from err
    return rows


def _refuse_unless_prepared(here: Connection, there: Connection, keys: Keys) -> None:
    if here.scalar(RELEASE) != there.scalar(RELEASE):
        raise CannotCopy("One of the databases is of another release; run `flask init` for both")
    with Session(there) as session:
        check_keys(session, keys)
    if filled := [
        table.name
        for table in Base.metadata.sorted_tables
        if table not in PREPARED and _count(there, table)
    ]:
        raise CannotCopy(f"The target is not empty ({', '.join(filled)}); nothing is ever replaced")


def _copy(here: Connection, there: Connection, progress: Progress) -> int:
    for table in PREPARED:
        there.execute(table.delete())
    total = sum(_count(here, table) for table in Base.metadata.sorted_tables)
    done = 0
    for table in Base.metadata.sorted_tables:
        for part in _parts(here, table):
            there.execute(insert(table), part)
            done += len(part)
            progress(done, total)
        if _fingerprint(here, table) != _fingerprint(there, table):
            raise CannotCopy(f"{table.name} did not arrive as it was; nothing was moved")
        # new rows get numbers after those that were copied
        if (column := table.autoincrement_column) is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            there.execute(select(func.setval(sequence, select(func.max(column)).scalar_subquery())))
    return done


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _parts(connection: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    rows = connection.execute(select(table), execution_options={"yield_per": ROWS})
    for part in rows.mappings().partitions():
        yield [dict(row) for row in part]


def _fingerprint(connection: Connection, table: Table) -> tuple[int, int]:
    """How many rows there are, and the sum of their hashes, which no order of rows changes."""
    count = total = 0
    for part in _parts(connection, table):
        count += len(part)
        total += sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in part)
    return count, total


def _continue_log(there: Connection, keys: Keys, *, now: datetime, by: str, rows: int) -> None:
    """Prove keys and audit chain of the copy, and note in it what happened."""
    with Session(there) as session:
        check_keys(session, keys)
        audit.Act(session=session, keys=keys, now=now, by=by).note(
            "moved", detail=f"{rows} rows to PostgreSQL"
        )
        if faults := list(audit.verify(session, keys)):
            raise CannotCopy("\n".join(["Nothing was moved, the audit log is not whole:", *faults]))


def _closing() -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        for verb in ("INSERT", "UPDATE", "DELETE"):
            name = f"{MOVED}_{table.name}_{verb.lower()}"
            refuse = "SELECT RAISE(ABORT, 'this database was moved to PostgreSQL');"
            yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table.name} BEGIN {refuse} END"
