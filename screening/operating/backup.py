"""Copy the whole database while it is in use, and restore a copy into an empty database.

The copy does not contain the keys.
"""

import fcntl
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, NullPool, create_engine, delete, inspect, select
from sqlalchemy.orm import Session

from screening.storage import audit
from screening.storage.database import check_keys, make_private, prove, write
from screening.storage.encryption import Keys
from screening.storage.private_files import sync_folder
from screening.storage.tables import AuditRow, KeyCheckRow, Sealed, tables_in_lock_order

PAGES = 2000  # copied in one step
UNFINISHED = ".unfinished"  # the end of a copy's name until it is complete
# the first bytes of backups; SQLite writes its header last
HEADERS = (b"SQLite format 3\0", bytes(16), b"PGDMP")
Progress = Callable[[int, int], None]  # takes the numbers done and in all


def not_restored() -> list[type[Sealed]]:
    """Return the tables that a restore leaves out, as earlier cookies could open their rows."""
    return [table for table in tables_in_lock_order() if not table.is_restored]


class CannotCopy(Exception):
    """A backup, restore or move was refused. The text states the reason and the remedy."""


def backup(engine: Engine, keys: Keys, target: Path, progress: Progress) -> list[Path]:
    """Write a consistent copy to a new file of mode 0600, and read it back.

    `progress` takes the numbers of pages. Return the abandoned copies of the folder, which are
    removed. Raises CannotCopy.
    """
    if target.exists():
        refusal = "exists already; choose another name, a backup never replaces one"
        raise CannotCopy(f"{target} {refusal}")
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        abandoned = list(filter(_remove_abandoned, target.parent.glob(f"*{UNFINISHED}")))
        with _writing(unfinished):
            if engine.dialect.name == "sqlite":
                _copy(Path(str(engine.url.database)), unfinished, progress)
            else:
                options = ("--format=custom", "--no-owner", f"--file={unfinished}")
                _run("pg_dump", *_connection(engine.url), *options, of=engine.url)
            _read_back(engine, keys, unfinished)
            _rename(unfinished, target)
    except (OSError, sqlite3.Error) as err:
        raise CannotCopy(f"{target} cannot be written: {err}") from err
    return abandoned


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Create a file, lock it while it is written, and remove it unless it was renamed."""
    path.touch(mode=0o600)
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise CannotCopy(f"{path} is being written by another backup") from err
        try:
            yield
        finally:
            _remove(path)


def _remove_abandoned(path: Path) -> bool:
    """Remove an unfinished copy that no process is writing, and return whether it was one."""
    with path.open("rb") as file:
        if not file.read(16).startswith(HEADERS):
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        _remove(path)
    return True


def _remove(database: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _rename(path: Path, target: Path) -> None:
    """Give a complete file its name; content and name are on disk when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.replace(target)
    sync_folder(target.parent)


def _read_back(engine: Engine, keys: Keys, copy: Path) -> None:
    """Raise CannotCopy unless a copy can be read and is complete.

    A copy of SQLite must have the last row of the audit log, one of PostgreSQL every table.
    """
    if engine.dialect.name == "sqlite":
        with _opened(copy) as session:
            _check(session, keys, copy)
            head = audit.head(session, keys)
            last_row = select(AuditRow.mac).where(AuditRow.number == head.number)
            if session.scalar(last_row) != head.mac:
                raise CannotCopy(f"{copy} does not hold what was stored last; try again")
    else:
        contents = _run("pg_restore", "--list", str(copy))
        names = inspect(engine).get_table_names()
        if missing := [name for name in names if f" TABLE DATA public {name} " not in contents]:
            raise CannotCopy(f"{copy} lacks these tables: {', '.join(missing)}; try again")


def restore(engine: Engine, keys: Keys, source: Path, progress: Progress) -> None:
    """Copy a backup into an empty database, completely or not at all.

    All sign-ins end. Raises CannotCopy, and KeyFault where the keys do not fit.
    """
    if engine.dialect.name == "sqlite":
        _restore_file(engine, keys, source, progress)
        return
    refuse_unless_empty(engine)
    _prove_dump(keys, source)
    names = "|".join(table.__tablename__ for table in not_restored())
    left_out = re.compile(rf" TABLE DATA public ({names}) ")
    contents = _run("pg_restore", "--list", str(source)).splitlines()
    wanted = [entry for entry in contents if not left_out.search(entry)]
    with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
        file.write("\n".join(wanted))
        file.flush()
        options = ("--exit-on-error", "--single-transaction", "--no-owner")
        chosen = (f"--use-list={file.name}", str(source))
        _run("pg_restore", *_connection(engine.url), *options, *chosen, of=engine.url)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _restore_file(engine: Engine, keys: Keys, source: Path, progress: Progress) -> None:
    target = Path(str(engine.url.database))
    for suffix in ("-wal", "-journal"):
        stale = target.with_name(target.name + suffix)
        if _has_content(stale) and not _has_content(target):
            refusal = "is left of another database, and would change this one; move it away first"
            raise CannotCopy(f"{stale} {refusal}")
    refuse_unless_empty(engine)
    unfinished = target.with_name(target.name + UNFINISHED)
    _remove(unfinished)
    try:
        with _writing(unfinished):
            _copy(source, unfinished, progress)
            with _opened(unfinished) as session:
                _check(session, keys, source)
                names = inspect(session.connection()).get_table_names()
                with write(session):
                    for table in not_restored():
                        if table.__tablename__ in names:  # older copies lack some tables
                            session.execute(delete(table))
            make_private(engine)
            _rename(unfinished, target)
    except sqlite3.Error as err:
        raise CannotCopy(f"{source} is not a backup of this application: {err}") from err


def refuse_unless_empty(engine: Engine) -> None:
    """Raise CannotCopy where the database has tables."""
    if inspect(engine).get_table_names():
        refusal = "is not empty; restore into an empty place, it replaces nothing"
        raise CannotCopy(f"{engine.url.render_as_string()} {refusal}")
    engine.dispose()


@contextmanager
def _opened(file: Path) -> Iterator[Session]:
    copy = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with Session(copy) as session:
        yield session


def _check(session: Session, keys: Keys, copy: Path) -> None:
    """Raise CannotCopy for a damaged or foreign file, KeyFault where the keys do not open it."""
    connection = session.connection()
    if connection.exec_driver_sql("PRAGMA integrity_check").scalar() != "ok":
        raise CannotCopy(f"{copy} is damaged; take another backup")
    if not inspect(connection).has_table(KeyCheckRow.__tablename__):
        raise CannotCopy(f"{copy} is not a backup of this application")
    check_keys(session, keys)


def _prove_dump(keys: Keys, dump: Path) -> None:
    """Raise KeyFault unless the keys open a dump of PostgreSQL, CannotCopy for a foreign one."""
    table = KeyCheckRow.__tablename__
    dumped = _run("pg_restore", "--data-only", f"--table={table}", "--file=-", str(dump))
    rows = re.findall(r"^(\w+)\t\\\\x([0-9a-f]+)$", dumped, re.MULTILINE)  # key_id, sealed_check
    if not rows:
        raise CannotCopy(f"{dump} is not a backup of this application")
    for key_id, sealed in rows:
        prove(KeyCheckRow(key_id=key_id, sealed_check=bytes.fromhex(sealed)), keys)


def _copy(source: Path, target: Path, progress: Progress) -> None:
    with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(target)) as to:
        # One transaction is one snapshot; without it, each write by others would restart the copy.
        from_.execute("BEGIN")
        from_.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        from_.backup(to, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
        to.execute("PRAGMA journal_mode = DELETE")


def _connection(url: URL) -> list[str]:
    parts = {"host": url.host, "port": url.port, "username": url.username, "dbname": url.database}
    return [*(f"--{name}={value}" for name, value in parts.items() if value), "--no-password"]


def _run(program: str, *arguments: str, of: URL | None = None) -> str:
    """Return the output of a program of PostgreSQL.

    The password goes through the environment, where other users cannot read it.
    """
    if shutil.which(program) is None:
        raise CannotCopy(f"{program} is not installed; run: apt-get install postgresql-client")
    done = subprocess.run(  # noqa: S603 - a fixed program, no shell
        [program, *arguments],
        env=os.environ | ({"PGPASSWORD": of.password} if of and of.password else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotCopy(f"{program}: {done.stderr.strip()}")
    return done.stdout
