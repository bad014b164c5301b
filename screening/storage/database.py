"""How the database is spoken to: durable SQLite or PostgreSQL, one write transaction at a time per request."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, event, inspect, select
from sqlalchemy.orm import Session

from screening.storage.encryption import KeyFault, Keys
from screening.storage.tables import KeyCheckRow

BUSY_SECONDS = 10


class DatabaseNotReady(Exception):
    """The database has no tables, or those of another release. Says which command prepares it."""


def configure(engine: Engine) -> None:
    """Make SQLite durable and let transactions begin as they are meant; PostgreSQL is left as it is."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late and is never IMMEDIATE
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A write that begins as a read could not be retried after another writer: take the lock at once.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def write(session: Session) -> Iterator[None]:
    """One write transaction: ends whatever was being read, commits on leaving, rolls back on any exception."""
    session.rollback()
    session.connection(execution_options={"writes": True})
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
            sealed = keys.seal(_check_text(keys), table="key_checks", column="sealed_check", row=key_id)
            session.add(KeyCheckRow(key_id=key_id, sealed_check=sealed))


def check_keys(session: Session, keys: Keys) -> None:
    """Raise KeyFault unless the keys open what is stored, DatabaseNotReady where nothing was ever prepared."""
    if not has_tables(session):
        raise DatabaseNotReady("The database has no tables yet; run `flask init`")
    checks = session.scalars(select(KeyCheckRow)).all()
    if not checks:
        raise DatabaseNotReady("The database is not prepared for these keys yet; run `flask init`")
    for check in checks:
        opened = keys.unseal(check.sealed_check, table="key_checks", column="sealed_check", row=check.key_id)
        if opened != _check_text(keys):
            raise KeyFault("the index key in data.key is not the one of this database; restore your copy of data.key")


def has_tables(session: Session) -> bool:
    """Whether this database has ever been prepared."""
    return inspect(session.connection()).has_table(KeyCheckRow.__tablename__)


def make_private(engine: Engine) -> None:
    """Let only the owner read a SQLite database file, made here if it is new; SQLite gives its WAL the same mode."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        file = Path(engine.url.database)
        file.touch(mode=0o600)
        file.chmod(0o600)
