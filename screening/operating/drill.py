"""Restore a backup beside the live data, verify it, compare it with them, and delete it again."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Engine,
    MetaData,
    NullPool,
    Row,
    create_engine,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateSchema, DropSchema

from screening.operating.backup import CannotCopy, Progress, refuse_unless_empty
from screening.operating.verify import faults_of
from screening.storage import audit, screenings
from screening.storage.database import check_release, configure
from screening.storage.encryption import Keys
from screening.storage.tables import AuditRow

PASSED = "drill passed"
FAILED = "drill failed"
LATE = timedelta(days=100)  # it is to be done each quarter
NAME = "drill"  # of the folder, of the file, and of the schema that marks a database of ours
FREE = 2**30  # bytes that the live data keep


def newest(session: Session, folder: Path) -> Path:
    """Return the backup that was made last, by the audit log. Raises CannotCopy."""
    made = audit.last(session, "backed up")
    name = f"{made.detail} of {made.at:%Y-%m-%d %H:%M} UTC" if made else "none was made yet"
    if made is None or not (folder / made.detail).is_file():
        raise CannotCopy(f"{folder} does not have the newest backup: {name}")
    return folder / made.detail


@contextmanager
def empty_place(live: Engine, instance: Path, url: str, source: Path) -> Iterator[Engine]:
    """Yield an empty database: in a folder of the instance, or at `url` for PostgreSQL.

    It is deleted afterwards. What a killed drill has left is deleted before. Raises CannotCopy.
    """
    folder = instance / NAME
    is_sqlite = live.dialect.name == "sqlite"
    if not is_sqlite and not url:
        raise CannotCopy("Name an empty PostgreSQL database for the drill: --database URL")
    if is_sqlite and shutil.disk_usage(instance).free < 2 * source.stat().st_size + FREE:
        raise CannotCopy(f"{folder} has too little space: twice the backup and 1 GiB are needed")
    # The name of the file differs from the live one, and so does that of its audit log's end.
    address = f"sqlite:///{folder / NAME}.db" if is_sqlite else url
    try:
        engine = create_engine(address, poolclass=NullPool)
    except ArgumentError as err:
        raise CannotCopy("--database must be like postgresql://user@host/database") from err
    configure(engine)
    if not is_sqlite and _place(engine) == _place(live):
        raise CannotCopy("--database is the live database; name an empty one")
    if folder.is_symlink():
        raise CannotCopy(f"{folder} leads elsewhere; a drill deletes that folder: move it away")
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not all(file.name.startswith(f"{NAME}.db") for file in folder.iterdir()):
            raise CannotCopy(f"{folder} has files that are not a drill's: move them away")
        try:
            _delete(engine, folder)
            if not is_sqlite:
                refuse_unless_empty(engine)
                with engine.begin() as connection:
                    connection.execute(CreateSchema(NAME))
            yield engine
        finally:
            _delete(engine, folder)
            folder.rmdir()
    except BlockingIOError as err:
        raise CannotCopy("Another drill is running") from err
    finally:
        os.close(lock)


def _place(engine: Engine) -> Row[Any]:
    """Return what no two databases of PostgreSQL have in common."""
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT current_database(), pg_postmaster_start_time(), inet_server_port()")
        ).one()


def _delete(engine: Engine, folder: Path) -> None:
    """Delete what a drill has restored; never anything in a database without our mark."""
    for file in folder.iterdir():
        file.unlink()
    if engine.dialect.name == "postgresql" and inspect(engine).has_schema(NAME):
        with engine.begin() as connection:
            tables = MetaData()
            tables.reflect(connection)
            tables.drop_all(connection)
            connection.execute(DropSchema(NAME))


def faults(
    live: Session, keys: Keys, restored: Engine, name: str, progress: Progress
) -> Iterator[str]:
    """Yield in words what `flask verify` finds in the restored backup, and how it differs."""
    with Session(restored, info={"keys": lambda: keys}) as copy:
        check_release(copy)
        yield from faults_of(copy, keys, progress, head_folder="")
        end = audit.head(copy, keys)
        found = screenings.count(copy)
    if live.scalar(select(AuditRow.mac).where(AuditRow.number == end.number)) != end.mac:
        yield f"its audit log ends with row {end.number}, which is another one here"
    of_this = (AuditRow.action == "backup begun", AuditRow.detail == name)
    begun = live.scalar(select(func.max(AuditRow.number)).where(*of_this)) or 0
    if end.number < begun:
        yield f"its audit log ends with row {end.number}, but it was begun at row {begun}"
    sent, deleted = (
        audit.count(live, action, after=0) - audit.count(live, action, after=end.number)
        for action in ("submitted", "deleted")
    )
    if found != sent - deleted:
        yield f"it has {found} screenings; when it was made there were {sent - deleted}"


def last(session: Session, now: datetime) -> tuple[bool | None, str, str]:
    """Return, as a check of `flask doctor`, whether the last drill is recent and passed."""
    rows = [row for row in (audit.last(session, PASSED), audit.last(session, FAILED)) if row]
    if not rows:
        return None, "last drill", "never; run: flask drill FOLDER-OF-BACKUPS"
    row = max(rows, key=lambda row: row.number)
    is_well = row.action == PASSED and row.at > now - LATE
    return is_well, "last drill", f"{row.at:%Y-%m-%d %H:%M} UTC, {row.action}: {row.detail}"
