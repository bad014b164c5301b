"""The application as it is served by two worker processes, with the commands beside it and its processes at hand."""

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

# the fixture `new_database`: gives the URL of an empty one, "" for SQLite
NewDatabase = Callable[[], str]

LOG_LINES = 60  # of the server's log in the message of a failure
COMING_AND_GOING = re.compile(r"Booting worker|was sent SIGKILL")
SERVER_FAULT = re.compile(r"Traceback|incident|\[CRITICAL\]")
SERVE = (
    "-m",
    "gunicorn",
    "--worker-class",
    "worker.Worker",
    "--workers",
    "2",
    "--threads",
    "4",
    "--no-control-socket",
)
# The master loads the application and compiles the templates, then forks: a killed worker is
# replaced within moments.
SERVE += ("--preload", "--config", str(Path(__file__).with_name("gunicorn_conf.py")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """An instance folder with its database; `database_url` is empty for SQLite."""

    instance: Path
    database_url: str
    url: str = "http://127.0.0.1:8000"
    prints: bool = False  # by itself; else only what somebody opens
    proxies: int = 0

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process of this installation: no settings but these."""
        return environment(
            self.instance,
            SCREENING_DATABASE_URL=self.database_url,
            SCREENING_PUBLIC_URL=self.url,
            SCREENING_OUTBOX_IN_SERVER=str(self.prints),
            SCREENING_PROXIES=str(self.proxies),
        )

    def command(self, *words: str) -> subprocess.Popen[str]:
        """Begin a `flask` command; stdout and stderr come through one pipe."""
        return subprocess.Popen(
            [sys.executable, "-m", "flask", *words],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def flask(self, *words: str) -> str:
        """What a `flask` command prints, run in this process, which is faster; it has to end with exit code 0."""
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
        """What a query finds, read past the application."""
        if not self.database_url:
            with closing(
                sqlite3.connect(f"file:{self.instance / 'screening.db'}?mode=ro", uri=True)
            ) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.database_url) as connection:
            connection.read_only = True
            return connection.execute(query).fetchall()

    def change(self, statement: str) -> None:
        """Change something past the application."""
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
    """A clinic that is being served at `address`. `log` is what the processes print."""

    master: int
    log: Path
    address: str

    @property
    def printed(self) -> str:
        """The log so far."""
        return self.log.read_text(encoding="utf-8")

    def processes(self) -> list[int]:
        """The master and its workers."""
        return [self.master, *self.workers()]

    def workers(self) -> list[int]:
        """The worker processes of this server alone, some of them perhaps just killed."""
        return children(self.master)

    def kill(self, worker: int) -> None:
        """End a worker without any warning.

        The master, its parent, has not waited for it: the id is still its own.
        """
        os.kill(worker, signal.SIGKILL)

    def faults(self) -> list[str]:
        """The lines of the log that tell of a fault."""
        return [line for line in self.printed.splitlines() if SERVER_FAULT.search(line)]


def children(process: int) -> list[int]:
    """The processes that this one, or one of its threads, has started."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found


@contextmanager
def served(
    folder: Path, database_url: str = "", *, prints: bool = False, behind: str = "", **environ: str
) -> Iterator[Server]:
    """Prepare an instance in `folder`, serve it, and end it.

    The log goes into the notes of whatever is raised.

    `behind` is the address of a proxy in front; `environ` is what only the server sees.
    """
    log = folder / "gunicorn.log"
    # The listening socket is handed over: the master keeps it, so that whoever connects waits for
    # the next worker.
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
            [sys.executable, *SERVE, "--bind", f"fd://{listener.fileno()}", "wsgi:app"],
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
