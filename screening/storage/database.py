"""How the database is spoken to: durable SQLite or PostgreSQL, one write transaction at a time per request.

Every transaction locks in one order, so that none waits for another in a circle (PostgreSQL):
tables of features (`lock_order`), drafts, screenings, entries, summaries, copies, jobs, people,
sign-ins, clocks, what is in force, editions, approvals, and the end of the audit log last. Several
rows of a table are locked in the order of their primary key, a draft before the row of its code.
What only clears away what has expired skips locked rows.
"""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    event,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session

from screening.storage.encryption import Keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import Checked, KeyCheckRow, tables_in_lock_order

BUSY_SECONDS = 10
LOCK_SECONDS = 30
BETWEEN_TRIES = (0.001, 0.005)  # seconds
MOVED = "moved"  # what the names of triggers begin with that close a database


class DatabaseNotReady(Exception):
    """The database has no tables, or those of another release. Says which command prepares it."""


def configure(engine: Engine) -> None:
    """Make SQLite durable and let transactions begin as they are meant: who only reads sees one moment throughout."""
    is_sqlite = engine.dialect.name == "sqlite"

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if is_sqlite and writes:
            # A write that begins as a read could not be retried after another writer: take the lock
            # at once.
            _wait_for_lock(connection)
        elif is_sqlite:
            connection.exec_driver_sql("BEGIN")
        elif not writes:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    if not is_sqlite:

        @event.listens_for(engine, "connect")
        def _on_connect_to_server(connection: Any, _record: object) -> None:
            # nobody waits for a lock without end
            connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            connection.commit()

        return

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # the driver's own BEGIN comes too late and is never IMMEDIATE
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
            f"busy_timeout = {BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")


def _wait_for_lock(connection: Connection) -> None:
    """BEGIN IMMEDIATE, tried every few milliseconds: SQLite itself lets whoever waits longest try least often."""
    end = time.monotonic() + BUSY_SECONDS
    with _impatient(connection):
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as err:
                if not _is_busy(err) or time.monotonic() > end:
                    raise
                time.sleep(random.uniform(*BETWEEN_TRIES))  # noqa: S311 - only so that not all try at once


def _is_busy(err: OperationalError) -> bool:
    return (
        isinstance(err.orig, sqlite3.Error)
        and err.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Meanwhile SQLite says at once that it is busy, instead of waiting by itself."""
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def begin_write(session: Session) -> None:
    """End whatever was being read and begin a write transaction, which whoever calls commits."""
    session.rollback()
    session.connection(execution_options={"writes": True})


@contextmanager
def write(session: Session) -> Iterator[None]:
    """One write transaction: ends whatever was being read, commits on leaving, rolls back on any exception."""
    begin_write(session)
    try:
        yield
        session.commit()
    finally:
        session.rollback()


def _check_text(keys: Keys) -> bytes:
    """What each data key seals: a text that only the right index key gives."""
    return keys.authenticate("key-check", b"")


def note_keys(session: Session, keys: Keys) -> None:
    """Add the check text of each data key that has none yet."""
    for key_id in keys.data:
        if session.get(KeyCheckRow, key_id) is None:
            row = KeyCheckRow(key_id=key_id)
            row.seal(
                Keys(current=key_id, data=keys.data, index=keys.index),
                "sealed_check",
                _check_text(keys),
            )
            session.add(row)


def check_keys(session: Session, keys: Keys) -> None:
    """Raise KeyFault unless the keys open what is stored, DatabaseNotReady where nothing was ever prepared."""
    if not has_tables(session):
        raise DatabaseNotReady("The database has no tables yet; run `flask init`")
    checks = session.scalars(select(KeyCheckRow)).all()
    if not checks:
        raise DatabaseNotReady("The database is not prepared for these keys yet; run `flask init`")
    for check in checks:
        prove(check, keys)


def prove(check: KeyCheckRow, keys: Keys) -> None:
    """Raise KeyFault unless the keys are those that a check text was sealed with."""
    if check.unseal(keys, "sealed_check") != _check_text(keys):
        raise KeyFault(
            f"the index key in {keys.file} is not the one of this database; restore your copy of that file"
        )


@cache  # as it was at the start: an upgrade may put other files there while this process still runs
def release() -> str:
    """The release of the tables that this program is made for: the name of the newest migration."""
    return max(file.stem for file in (Path(__file__).parent / "migrations").glob("[0-9]*.py"))


def check_release(session: Session) -> None:
    """Raise DatabaseNotReady unless the tables are those of this program's release."""
    stored = session.scalar(text("SELECT max(version_num) FROM alembic_version")) or ""
    if stored > release():
        raise DatabaseNotReady(
            f"The database is of a newer release ({stored}); install that release, or a newer one"
        )
    if stored < release():
        raise DatabaseNotReady(
            "The database is of an older release; make a backup, then run `flask init`"
        )


def seal_unsealed(session: Session) -> None:
    """Let the rows of an older release that had no seal be sealed when they are written."""
    for table in tables_in_lock_order():
        if issubclass(table, Checked) and table.may_be_unchecked:
            for row in session.scalars(select(table).where(table.sealed_check == b"")):
                row.sealed_check = b"-"


def delete_in_order(
    session: Session,
    key: InstrumentedAttribute[Any],
    *conditions: ColumnElement[bool],
    wait: bool = True,
) -> int:
    """Delete rows, locked in the order of their primary `key`; how many there were.

    Without `wait`, rows that somebody else has locked stay.
    """
    found = select(key).where(*conditions).order_by(key).with_for_update(skip_locked=not wait)
    query = delete(key.class_).where(key.in_(found)).execution_options(synchronize_session=False)
    done: int = session.execute(query).rowcount  # type: ignore[attr-defined]
    return done


def prove_writable(session: Session) -> None:
    """Write what changes nothing. Raises what the database says where that cannot be done.

    Waits for nobody: where somebody else writes in this moment, nothing needs to be proved.
    """
    session.rollback()
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    connection = session.connection(execution_options={"writes": not is_sqlite})
    free = select(KeyCheckRow.key_id).with_for_update(skip_locked=True)
    same = update(KeyCheckRow).where(KeyCheckRow.key_id.in_(free)).values(key_id=KeyCheckRow.key_id)
    try:
        with _impatient(connection) if is_sqlite else nullcontext():
            connection.execute(same)
        session.commit()
    except OperationalError as err:
        if not _is_busy(err):
            raise
    finally:
        session.rollback()


def has_tables(session: Session) -> bool:
    """Whether this database has ever been prepared.

    Raises DatabaseNotReady where it was moved to another place.
    """
    if session.get_bind().dialect.name == "sqlite" and session.scalar(
        text(f"SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '{MOVED}%' LIMIT 1")  # noqa: S608
    ):
        raise DatabaseNotReady(
            "What this database held was moved to PostgreSQL; set database_url to that database"
        )
    return inspect(session.connection()).has_table(KeyCheckRow.__tablename__)


def make_private(engine: Engine) -> None:
    """Let only the owner read a SQLite database file, made here if it is new; SQLite gives its WAL the same mode."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        file = Path(engine.url.database)
        file.touch(mode=0o600)
        file.chmod(0o600)


def empty_journal(session: Session) -> None:
    """Let SQLite write its journal into the database and empty it, so that nothing deleted stays readable in it.

    Tried again for as long as somebody reads, up to BUSY_SECONDS, and without keeping writers
    waiting meanwhile: SQLite's own waiting would hold the lock that every write needs.
    """
    session.rollback()
    if session.get_bind().dialect.name != "sqlite":
        return
    connection = session.connection()
    connection.exec_driver_sql("COMMIT")  # a checkpoint is not possible within a transaction
    end = time.monotonic() + BUSY_SECONDS
    with _impatient(connection):
        while (
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
            and time.monotonic() < end
        ):
            time.sleep(BETWEEN_TRIES[1])
    connection.exec_driver_sql("BEGIN")
    session.rollback()


def clock(session: Session, *, here: datetime) -> datetime:
    """The time on the database's machine. SQLite is on this one, where it is `here`."""
    if session.get_bind().dialect.name != "postgresql":
        return here
    there: datetime = session.scalars(select(func.clock_timestamp())).one()
    return there.astimezone(UTC)


def integrity(session: Session) -> list[str]:
    """What the database itself finds wrong with its files.

    PostgreSQL checks its pages when it reads them.
    """
    if session.get_bind().dialect.name != "sqlite":
        return []
    faults = session.execute(text("PRAGMA integrity_check")).scalars().all()
    orphans = session.execute(text("PRAGMA foreign_key_check")).all()
    return [fault for fault in faults if fault != "ok"] + [
        f"{row[0]}: a row without its parent" for row in orphans
    ]
