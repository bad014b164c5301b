"""A copy of the whole database while it is in use, and back into an empty place.

Keys are not in it.
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
UNFINISHED = ".unfinished"  # what the name of a copy ends with until it is whole
# what backups begin with; SQLite writes its header last
HEADERS = (b"SQLite format 3\0", bytes(16), b"PGDMP")
Progress = Callable[[int, int], None]


def not_restored() -> list[type[Sealed]]:
    """Return the tables that a restore leaves out: a cookie from before could open what is in them."""
    return [table for table in tables_in_lock_order() if not table.is_restored]


class CannotCopy(Exception):
    """A backup or restore cannot be done. Says why and what to do."""


def backup(engine: Engine, keys: Keys, target: Path, progress: Progress) -> list[Path]:
    """Write a consistent copy to a new file of mode 0600 and read it back.

    `progress` is told the pages done and all.

    Returns what it removed: copies in that folder that were never finished, and that nobody is
    writing any more.
    """
    if target.exists():
        raise CannotCopy(
            f"{target} exists already; choose another name, a backup never replaces one"
        )
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        removed = [path for path in target.parent.glob(f"*{UNFINISHED}") if _remove_left_over(path)]
        with _writing(unfinished):
            if engine.dialect.name == "sqlite":
                _copy(Path(str(engine.url.database)), unfinished, progress)
            else:
                options = ("--format=custom", "--no-owner", f"--file={unfinished}")
                _run("pg_dump", *_connection(engine.url), *options, of=engine.url)
            _read_back(engine, keys, unfinished)
            _keep(unfinished, target)
    except (OSError, sqlite3.Error) as err:
        raise CannotCopy(f"{target} cannot be written: {err}") from err
    return removed


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Lock a new file for as long as it is written, and remove it unless it was given another name."""
    path.touch(mode=0o600)
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise CannotCopy(f"{path} is being written by another backup in this moment") from err
        try:
            yield
        finally:
            _remove(path)


def _remove_left_over(path: Path) -> bool:
    """Remove a copy that somebody began and nobody writes any more. Other files stay."""
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


def _keep(path: Path, target: Path) -> None:
    """Give a whole file its name; both are on disk when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.replace(target)
    sync_folder(target.parent)


def _read_back(engine: Engine, keys: Keys, copy: Path) -> None:
    """Raise CannotCopy unless a copy can be read, and has the end of the audit log or, in PostgreSQL, every table."""
    if engine.dialect.name == "sqlite":
        with _opened(copy) as session:
            _check(session, keys, copy)
            end = audit.head(session, keys)
            if session.scalar(select(AuditRow.mac).where(AuditRow.number == end.number)) != end.mac:
                raise CannotCopy(f"{copy} does not hold what was stored last; try again")
    else:
        listed = _run("pg_restore", "--list", str(copy))
        known = inspect(engine).get_table_names()
        if missing := [name for name in known if f" TABLE DATA public {name} " not in listed]:
            raise CannotCopy(f"{copy} lacks these tables: {', '.join(missing)}; try again")


def restore(engine: Engine, keys: Keys, source: Path, progress: Progress) -> None:
    """Bring a backup into a database that has nothing in it yet: whole, or not at all.

    Nobody is signed in afterwards.

    Raises CannotCopy, and KeyFault where the keys do not fit.
    """
    if engine.dialect.name == "sqlite":
        _restore_file(engine, keys, source, progress)
        return
    _refuse_unless_empty(engine)
    _prove_dump(keys, source)
    left_out = re.compile(
        rf" TABLE DATA public ({'|'.join(table.__tablename__ for table in not_restored())}) "
    )
    listing = _run("pg_restore", "--list", str(source)).splitlines()
    wanted = [line for line in listing if not left_out.search(line)]
    with tempfile.NamedTemporaryFile("w", suffix=".list") as listed:
        listed.write("\n".join(wanted))
        listed.flush()
        options = (
            "--exit-on-error",
            "--single-transaction",
            "--no-owner",
            f"--use-list={listed.name}",
        )
        _run("pg_restore", *_connection(engine.url), *options, str(source), of=engine.url)


def _restore_file(engine: Engine, keys: Keys, source: Path, progress: Progress) -> None:
    target = Path(str(engine.url.database))
    for suffix in ("-wal", "-journal"):
        stale = target.with_name(target.name + suffix)
        if (
            stale.exists()
            and stale.stat().st_size
            and not (target.exists() and target.stat().st_size)
        ):
            raise CannotCopy(
                f"{stale} is left of another database, and would change this one; move it away first"
            )
    _refuse_unless_empty(engine)
    unfinished = target.with_name(target.name + UNFINISHED)
    _remove(unfinished)
    try:
        with _writing(unfinished):
            _copy(source, unfinished, progress)
            with _opened(unfinished) as session:
                _check(session, keys, source)
                # older copies lack some
                there = set(inspect(session.connection()).get_table_names())
                with write(session):
                    for table in not_restored():
                        if table.__tablename__ in there:
                            session.execute(delete(table))
            make_private(engine)
            _keep(unfinished, target)
    except sqlite3.Error as err:
        raise CannotCopy(f"{source} is not a backup of this application: {err}") from err


def _refuse_unless_empty(engine: Engine) -> None:
    if inspect(engine).get_table_names():
        raise CannotCopy(
            f"{engine.url.render_as_string()} is not empty; restore into an empty place, it replaces nothing"
        )
    engine.dispose()


@contextmanager
def _opened(file: Path) -> Iterator[Session]:
    copy = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with Session(copy) as session:
        yield session


def _check(session: Session, keys: Keys, copy: Path) -> None:
    """Raise CannotCopy for a file that is damaged or not ours, KeyFault for one that these keys do not open."""
    connection = session.connection()
    if connection.exec_driver_sql("PRAGMA integrity_check").scalar() != "ok":
        raise CannotCopy(f"{copy} is damaged; take another backup")
    if not inspect(connection).has_table(KeyCheckRow.__tablename__):
        raise CannotCopy(f"{copy} is not a backup of this application")
    check_keys(session, keys)


def _prove_dump(keys: Keys, dump: Path) -> None:
    """Raise KeyFault unless the keys open what is in a dump of PostgreSQL, CannotCopy where it is none of ours."""
    table = KeyCheckRow.__tablename__
    dumped = _run("pg_restore", "--data-only", f"--table={table}", "--file=-", str(dump))
    rows = re.findall(r"^(\w+)\t\\\\x([0-9a-f]+)$", dumped, re.MULTILINE)  # its two columns
    if not rows:
        raise CannotCopy(f"{dump} is not a backup of this application")
    for key_id, sealed in rows:
        prove(KeyCheckRow(key_id=key_id, sealed_check=bytes.fromhex(sealed)), keys)


def _copy(source: Path, target: Path, progress: Progress) -> None:
    with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(target)) as to:
        # One snapshot from beginning to end; otherwise each write by others would begin the copy
        # anew.
        from_.execute("BEGIN")
        from_.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        from_.backup(to, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
        to.execute("PRAGMA journal_mode = DELETE")


def _connection(url: URL) -> list[str]:
    given = {"host": url.host, "port": url.port, "username": url.username, "dbname": url.database}
    return [*(f"--{name}={value}" for name, value in given.items() if value), "--no-password"]


def _run(program: str, *words: str, of: URL | None = None) -> str:
    """What PostgreSQL's own program prints; the password goes through the environment, where others cannot read it."""
    if shutil.which(program) is None:
        raise CannotCopy(f"{program} is not installed; run: apt-get install postgresql-client")
    done = subprocess.run(  # noqa: S603 - a fixed program, no shell
        [program, *words],
        env=os.environ | ({"PGPASSWORD": of.password} if of and of.password else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotCopy(f"{program}: {done.stderr.strip()}")
    return done.stdout
