"""Transactions on SQLite and PostgreSQL, and checks of the database at the start.

Every transaction locks tables in the same order, which prevents deadlocks (PostgreSQL): tables of
features (`lock_order`), drafts, screenings, entries, same_person, summaries, copies, jobs, people,
credentials, passkeys, sign-ins, clocks, in_force, editions, approvals, and the end of the audit log
last. Several rows of a table are locked in the order of their primary key, a draft before the row
of its code. Deletion of expired rows skips locked rows. Attempts are counted before all this.
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
TURNS = 1  # number of the lock by which transactions take turns (PostgreSQL)
MOVED = "moved"  # prefix of the names of triggers that close a database


class DatabaseNotReady(Exception):
    """The database has no tables, or those of another release.

    The message names the command that prepares it.
    """


def configure(engine: Engine) -> None:
    """Make SQLite durable; let writers lock at the beginning, and readers see a single snapshot."""
    is_sqlite = engine.dialect.name == "sqlite"

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if is_sqlite and writes:
            # SQLite refuses to upgrade a read transaction after another write: lock at once.
            _wait_for_lock(connection)
        elif is_sqlite:
            # Without SQLAlchemy's bookkeeping, which takes a hundredth of a page's time: this
            # statement reads no file, so it cannot fail.
            connection.connection.dbapi_connection.execute("BEGIN")  # type: ignore[union-attr]
        elif not writes:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    if not is_sqlite:

        @event.listens_for(engine, "connect")
        def _on_connect_to_server(connection: Any, _record: object) -> None:
            # no transaction waits for a lock for ever
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
    """Execute BEGIN IMMEDIATE, with retries every few milliseconds.

    SQLite's own retries become rarer the longer a writer waits.
    """
    end = time.monotonic() + BUSY_SECONDS
    with _without_busy_timeout(connection):
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as err:
                if not _is_busy(err) or time.monotonic() > end:
                    raise
                time.sleep(random.uniform(*BETWEEN_TRIES))  # noqa: S311 - spreads the retries


def _is_busy(err: OperationalError) -> bool:
    if not isinstance(err.orig, sqlite3.Error):
        return False
    return err.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


@contextmanager
def _without_busy_timeout(connection: Connection) -> Iterator[None]:
    """Let SQLite raise at once where it is busy, instead of waiting."""
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def begin_write(session: Session) -> None:
    """Roll back the current transaction and begin a write transaction, which the caller commits."""
    session.rollback()
    session.connection(execution_options={"writes": True})


@contextmanager
def write(session: Session) -> Iterator[None]:
    """Run a write transaction: commit at the end of the block, roll back on an exception.

    A read transaction of the session ends first.
    """
    begin_write(session)
    try:
        yield
        session.commit()
    finally:
        session.rollback()


def _check_text(keys: Keys) -> bytes:
    """Return the text that each data key seals; it depends on the index key."""
    return keys.authenticate("key-check", b"")


def note_keys(session: Session, keys: Keys) -> None:
    """Add the check text of each data key that has none yet."""
    for key_id in keys.data:
        if session.get(KeyCheckRow, key_id) is None:
            row = KeyCheckRow(key_id=key_id)
            sealing = Keys(current=key_id, data=keys.data, index=keys.index)
            row.seal(sealing, "sealed_check", _check_text(keys))
            session.add(row)


def check_keys(session: Session, keys: Keys) -> None:
    """Raise KeyFault unless the keys match the database, DatabaseNotReady before `flask init`."""
    if not has_tables(session):
        raise DatabaseNotReady("The database has no tables yet; run `flask init`")
    checks = session.scalars(select(KeyCheckRow)).all()
    if not checks:
        raise DatabaseNotReady("The database is not prepared for these keys yet; run `flask init`")
    for check in checks:
        prove(check, keys)


def prove(check: KeyCheckRow, keys: Keys) -> None:
    """Raise KeyFault unless a check text was sealed with these keys."""
    if check.unseal(keys, "sealed_check") != _check_text(keys):
        raise KeyFault(
            f"the index key in {keys.file} is not the one of this database; "
            "restore your copy of that file"
        )


@cache  # an upgrade may replace the files while this process still runs
def release() -> str:
    """Return the name of the newest migration, which is the release of this program's tables."""
    return max(file.stem for file in (Path(__file__).parent / "migrations").glob("[0-9]*.py"))


def check_release(session: Session) -> None:
    """Raise DatabaseNotReady unless the tables have this program's release."""
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
    """Mark the rows that an older release left unsealed as changed: the next flush seals them."""
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
    """Delete rows, locked in the order of their primary `key`, and return their number.

    Without `wait`, rows that another transaction has locked stay.
    """
    locked = select(key).where(*conditions).order_by(key).with_for_update(skip_locked=not wait)
    query = delete(key.class_).where(key.in_(locked)).execution_options(synchronize_session=False)
    count: int = session.execute(query).rowcount  # type: ignore[attr-defined]
    return count


def take_turns(session: Session) -> None:
    """Wait until no other transaction that took its turn is open; call it before other locks.

    On SQLite, write transactions take turns anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(TURNS)))


def prove_writable(session: Session) -> None:
    """Write a value that is there already. Raises the database's error where it cannot.

    The check does not wait for locks: where another transaction writes now, writing is possible.
    """
    session.rollback()
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    connection = session.connection(execution_options={"writes": not is_sqlite})
    free = select(KeyCheckRow.key_id).with_for_update(skip_locked=True)
    same = update(KeyCheckRow).where(KeyCheckRow.key_id.in_(free)).values(key_id=KeyCheckRow.key_id)
    try:
        with _without_busy_timeout(connection) if is_sqlite else nullcontext():
            connection.execute(same)
        session.commit()
    except OperationalError as err:
        if not _is_busy(err):
            raise
    finally:
        session.rollback()


def has_tables(session: Session) -> bool:
    """Return whether the database has tables.

    Raises DatabaseNotReady where its content was moved to another database.
    """
    closing = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name LIKE :name LIMIT 1"
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    if is_sqlite and session.scalar(text(closing), {"name": f"{MOVED}%"}):
        raise DatabaseNotReady(
            "What this database held was moved to PostgreSQL; set database_url to that database"
        )
    return inspect(session.connection()).has_table(KeyCheckRow.__tablename__)


def make_private(engine: Engine) -> None:
    """Create a missing SQLite file, and restrict it to its owner; the WAL gets the same mode."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        file = Path(engine.url.database)
        file.touch(mode=0o600)
        file.chmod(0o600)


def empty_journal(session: Session) -> None:
    """Write SQLite's journal into the database and empty it: deleted data must not stay in it.

    Readers prevent this, so it is retried for up to BUSY_SECONDS. SQLite's own waiting would hold
    the lock that every write needs.
    """
    session.rollback()
    if session.get_bind().dialect.name != "sqlite":
        return
    connection = session.connection()
    connection.exec_driver_sql("COMMIT")  # a checkpoint is not possible within a transaction
    end = time.monotonic() + BUSY_SECONDS
    checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"  # its first value is 1 where SQLite was busy
    with _without_busy_timeout(connection):
        while connection.exec_driver_sql(checkpoint).one()[0] and time.monotonic() < end:
            time.sleep(BETWEEN_TRIES[1])
    connection.exec_driver_sql("BEGIN")
    session.rollback()


def clock(session: Session, *, local: datetime) -> datetime:
    """Return the time on the database's machine, for SQLite `local`: the time here."""
    if session.get_bind().dialect.name != "postgresql":
        return local
    remote: datetime = session.scalars(select(func.clock_timestamp())).one()
    return remote.astimezone(UTC)


def integrity(session: Session) -> list[str]:
    """Return the faults that SQLite finds in its files; PostgreSQL checks its pages on reading."""
    if session.get_bind().dialect.name != "sqlite":
        return []
    faults = session.execute(text("PRAGMA integrity_check")).scalars().all()
    orphans = session.execute(text("PRAGMA foreign_key_check")).all()
    without_parent = [f"{row[0]}: a row without its parent" for row in orphans]
    return [fault for fault in faults if fault != "ok"] + without_parent
