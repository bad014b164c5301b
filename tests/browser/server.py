"""The served application in an instance folder of its own, and the browser that visits it."""

from __future__ import annotations

import http.client
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
# The same engine and release without the windows of a browser: a page takes a third of the time.
SHELL = Path("/usr/bin/chromium-headless-shell")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name outside of this machine is resolved.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
START_SECONDS = 60
STOP_SECONDS = 20


class NotServing(Exception):
    """The application could not be prepared or does not answer; the message holds its output."""


class BrowserMissing(Exception):
    """There is no browser to test with; the message names the command that installs it."""


def launch_options(program: Path = CHROMIUM) -> dict[str, Any]:
    """Return the options for Playwright to launch Debian's Chromium. Raises BrowserMissing."""
    if not program.exists():
        raise BrowserMissing(
            f"{program} is missing: install it from Debian (sudo apt-get install {program.name})"
        )
    return {
        "executable_path": str(program),
        "args": list(CHROMIUM_ARGS),
        # Browsers keep pages in memory for Back; Playwright would turn that off.
        "ignore_default_args": ["--disable-back-forward-cache"],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveServer:
    """A running application: its address, its instance folder and its log."""

    url: str
    instance: Path
    log: Path

    @property
    def database(self) -> Path:
        """Return the path of the SQLite file."""
        return self.instance / "screening.db"

    def references(self) -> list[str]:
        """Return the references of all screenings, from the database, in the order of sending."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return [
                row[0]
                for row in connection.execute("SELECT reference FROM screenings ORDER BY rowid")
            ]

    def expire_drafts(self) -> None:
        """Let every draft expire."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("UPDATE drafts SET expires_at = '2000-01-01 00:00:00.000000'")

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Block all writes of the application, each of which waits for at most 10 seconds."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@contextmanager
def serve(folder: Path) -> Iterator[LiveServer]:
    """Prepare an instance in `folder`, serve it on a free loopback port, and end it.

    It prints a summary only when a page opens it, so that other tests have the processor.

    Raises NotServing.
    """
    # The server inherits the listening socket, so that no other process can take the port.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = LiveServer(url=url, instance=folder / "instance", log=folder / "gunicorn.log")
        environ = environment(
            server.instance, SCREENING_PUBLIC_URL=url, SCREENING_OUTBOX_IN_SERVER="false"
        )
        flask(environ, "init")
        with server.log.open("wb") as log:
            command = [
                sys.executable,
                "-m",
                "gunicorn",
                "--worker-class",
                "gthread",
                "--threads",
                "4",
            ]
            command += ["--no-control-socket", "--bind", f"fd://{listener.fileno()}", "wsgi:app"]
            process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=log, stderr=log, pass_fds=[listener.fileno()]
            )
    with ended_afterwards(process):
        if not is_alive(url):
            raise NotServing(f"{url} does not answer:\n{server.log.read_text(encoding='utf-8')}")
        yield server


@contextmanager
def ended_afterwards(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End this process when the block ends, also after an exception."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def environment(instance: Path, **settings: str) -> dict[str, str]:
    """Return the environment of an application process: these settings, and Spanish unreviewed."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCREENING_", "FLASK_"))
    }
    return (
        inherited
        | {"SCREENING_INSTANCE": str(instance), "SCREENING_UNREVIEWED_LANGUAGES": "es"}
        | settings
    )


def flask(environ: Mapping[str, str], *words: str) -> None:
    """Run one `flask` command. Raises NotServing with its output if it fails."""
    command = [sys.executable, "-m", "flask", *words]
    completed = subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if completed.returncode:
        raise NotServing(f"flask {' '.join(words)} failed:\n{completed.stdout}{completed.stderr}")


def is_alive(url: str) -> bool:
    """Return whether the application answers.

    One request is enough: the socket listens already, so the answer comes when the application is
    up, or the connection ends.
    """
    with closing(
        http.client.HTTPConnection(url.removeprefix("http://"), timeout=START_SECONDS)
    ) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
