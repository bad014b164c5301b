"""The application in two worker processes, with access to commands, database and processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from screening.application import create_app
from screening.extensions import db
from screening.settings import Settings
from tests.browser.server import ROOT, ended_afterwards, environment, is_alive

# the fixture `new_database` returns the URL of an empty database, "" for SQLite
NewDatabase = Callable[[], str]

LOG_LINES = 60  # of the server's log in the message of a failure
COMING_AND_GOING = re.compile(r"Booting worker|was sent SIGKILL")
SERVER_FAULT = re.compile(r"Traceback|incident|\[CRITICAL\]")
SERVE = ("-m", "gunicorn", "--config", str(Path(__file__).with_name("gunicorn_conf.py")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """An instance folder with its database; `database_url` is empty for SQLite."""

    instance: Path
    database_url: str
    url: str = "http://127.0.0.1:8000"
    prints: bool = False  # summaries by itself; else only those that a page opens
    proxies: int = 0

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of a process of this installation, with these settings alone."""
        return environment(
            self.instance,
            SCREENING_DATABASE_URL=self.database_url,
            SCREENING_PUBLIC_URL=self.url,
            SCREENING_OUTBOX_IN_SERVER=str(self.prints),
            SCREENING_PROXIES=str(self.proxies),
        )

    def command(self, *words: str) -> subprocess.Popen[str]:
        """Start a `flask` command; stdout and stderr come through one pipe."""
        return subprocess.Popen(
            [sys.executable, "-m", "flask", *words],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def flask(self, *words: str) -> str:
        """Run a `flask` command in this process, which is faster, and return its output.

        It must end with exit code 0.
        """
        app = create_app(
            Settings(instance=self.instance, database_url=self.database_url, public_url=self.url)
        )
        result = app.test_cli_runner().invoke(args=list(words))
        with app.app_context():
            db.engine.dispose()
        assert result.exit_code == 0, (
            f"flask {' '.join(words)} ended with {result.exit_code}:\n{result.output}"
        )
        return result.output

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query, which reads the database directly."""
        if not self.database_url:
            with closing(
                sqlite3.connect(f"file:{self.instance / 'screening.db'}?mode=ro", uri=True)
            ) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.database_url) as connection:
            connection.read_only = True
            return connection.execute(query).fetchall()

    def change(self, statement: str) -> None:
        """Change the database directly."""
        if not self.database_url:
            with (
                closing(sqlite3.connect(self.instance / "screening.db", timeout=30)) as connection,
                connection,
            ):
                connection.execute(statement)
            return
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Clinic):
    """A clinic that is served at `address`. `log` is the output of its processes."""

    master: int
    log: Path
    address: str

    @property
    def printed(self) -> str:
        """Return the log so far."""
        return self.log.read_text(encoding="utf-8")

    def processes(self) -> list[int]:
        """Return the ids of the master and its workers."""
        return [self.master, *self.workers()]

    def workers(self) -> list[int]:
        """Return the ids of this server's workers, some of which may just have been killed."""
        renderer = self.renderer()
        return [child for child in children(self.master) if child != renderer]

    def renderer(self) -> int:
        """Return the id of the process that prints for all workers; 0 after it was killed."""
        return next((child for child in children(self.master) if _is_renderer(child)), 0)

    def kill(self, worker: int) -> None:
        """End a worker without any warning.

        Its id is still its own, because the master, its parent, has not waited for it.
        """
        os.kill(worker, signal.SIGKILL)

    def faults(self) -> list[str]:
        """Return the lines of the log that report a fault."""
        return [line for line in self.printed.splitlines() if SERVER_FAULT.search(line)]


def children(process: int) -> list[int]:
    """Return the ids of the processes that a process, or one of its threads, has started."""
    processes: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            processes += [int(child) for child in task.read_text(encoding="ascii").split()]
    return processes


def _is_renderer(process: int) -> bool:
    try:
        return b"printing.renderer" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return False


@contextmanager
def served(
    folder: Path,
    database_url: str = "",
    *,
    prints: bool = False,
    behind: str = "",
    wsgi: str = "wsgi:app",
    **environ: str,
) -> Iterator[Server]:
    """Prepare an instance in `folder`, serve it, and end it.

    `behind` is the address of a proxy in front; only the server sees `environ`. An exception gets
    the log as a note.
    """
    log = folder / "gunicorn.log"
    # The master inherits the listening socket and keeps it, so that a new connection waits for the
    # next worker.
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as printed:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        url = behind or f"http://{address}"
        proxies = int(bool(behind))
        clinic = Clinic(
            instance=folder / "instance",
            database_url=database_url,
            url=url,
            prints=prints,
            proxies=proxies,
        )
        clinic.flask("init")
        process = subprocess.Popen(
            [sys.executable, *SERVE, "--bind", f"fd://{listener.fileno()}", wsgi],
            cwd=ROOT,
            env=clinic.environ | environ,
            stdout=printed,
            stderr=printed,
            pass_fds=[listener.fileno()],
        )
    server = Server(
        instance=clinic.instance,
        database_url=database_url,
        url=url,
        proxies=proxies,
        master=process.pid,
        log=log,
        address=address,
    )
    try:
        with ended_afterwards(process):
            assert is_alive(f"http://{address}")
            yield server
    except BaseException as err:
        lines = [line for line in server.printed.splitlines() if not COMING_AND_GOING.search(line)]
        err.add_note("\n".join(["The end of the server's log:", *lines[-LOG_LINES:]]))
        raise
