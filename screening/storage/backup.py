"""A copy of the whole database while it is in use, and back into an empty place. Keys are not in it."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Engine, inspect

from screening.storage.database import make_private
from screening.storage.encryption import sync_folder
from screening.storage.tables import KeyCheckRow

PAGES = 2000  # copied in one step


class CannotCopy(Exception):
    """A backup or restore cannot be done. Says why and what to do."""


def backup(engine: Engine, target: Path, progress: Callable[[int, int], None]) -> None:
    """Write a consistent copy to a new file of mode 0600. `progress` is told the pages done and in all."""
    if target.exists():
        raise CannotCopy(f"{target} exists already; choose another name, a backup never replaces one")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        if engine.dialect.name == "sqlite":
            _copy(Path(str(engine.url.database)), unfinished, progress)
        else:
            _run("pg_dump", engine.url, "--format=custom", "--no-owner", f"--file={unfinished}")
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(target)
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as err:
        raise CannotCopy(f"{target} cannot be written: {err}") from err
    finally:
        unfinished.unlink(missing_ok=True)


def restore(engine: Engine, source: Path, progress: Callable[[int, int], None]) -> None:
    """Bring a backup into a database that has nothing in it yet."""
    if inspect(engine).get_table_names():
        raise CannotCopy(
            f"{engine.url.render_as_string()} is not empty; restore into an empty place, it replaces nothing"
        )
    engine.dispose()
    try:
        if engine.dialect.name == "sqlite":
            with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as copy:
                if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    raise CannotCopy(f"{source} is damaged; take another backup")
                copy.execute(f"SELECT 1 FROM {KeyCheckRow.__tablename__}")  # noqa: S608
            make_private(engine)
            _copy(source, Path(str(engine.url.database)), progress)
        else:
            _run("pg_restore", engine.url, "--exit-on-error", "--single-transaction", "--no-owner", str(source))
    except sqlite3.Error as err:
        raise CannotCopy(f"{source} is not a backup of this application: {err}") from err


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(target)) as to:
        # One snapshot from beginning to end; otherwise each write by others would begin the copy anew.
        from_.execute("BEGIN")
        from_.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        from_.backup(to, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
        to.execute("PRAGMA journal_mode = DELETE")


def _run(program: str, url: URL, *words: str) -> None:
    """Run PostgreSQL's own program; the password goes through the environment, where other users cannot read it."""
    if shutil.which(program) is None:
        raise CannotCopy(f"{program} is not installed; run: apt-get install postgresql-client")
    connection = {"host": url.host, "port": url.port, "username": url.username, "dbname": url.database}
    options = [f"--{name}={value}" for name, value in connection.items() if value]
    done = subprocess.run(  # noqa: S603 - a fixed program, no shell
        [program, *options, "--no-password", *words],
        env=os.environ | ({"PGPASSWORD": url.password} if url.password else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotCopy(f"{program}: {done.stderr.strip()}")
