"""The application as it is served, in an instance folder of its own, and the browser that visits it."""

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
# The same engine of the same release without the browser around it: a page takes a third of the
# time.
SHELL = Path("/usr/bin/chromium-headless-shell")
CHROMIUM_ARGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing beyond this machine is looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
START_SECONDS = 60
STOP_SECONDS = 20


class NotServing(Exception):
    """The application could not be prepared or does not answer; its own words are in the message."""


class BrowserMissing(Exception):
    """There is no browser to test with. Says how to get it."""


def launch_options(program: Path = CHROMIUM) -> dict[str, Any]:
    """How Playwright starts Debian's Chromium. Raises BrowserMissing."""
    if not program.exists():
        raise BrowserMissing(
            f"{program} is missing: install it from Debian (sudo apt-get install {program.name})"
        )
    return {
        "executable_path": str(program),
        "args": list(CHROMIUM_ARGS),
        # Playwright turns off what every visitor's browser has: pages kept in memory for the Back
        # button.
        "ignore_default_args": ["--disable-back-forward-cache"],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveServer:
    """A running application: its address, its instance folder and what it printed so far."""

    url: str
    instance: Path
    log: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.instance / "screening.db"

    def references(self) -> list[str]:
        """The references of everything sent so far, in order, read past the application."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return [
                row[0]
                for row in connection.execute("SELECT reference FROM screenings ORDER BY rowid")
            ]

    def expire_drafts(self) -> None:
        """Let the time of every draft have passed."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("UPDATE drafts SET expires_at = '2000-01-01 00:00:00.000000'")

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Let everything that the application wants to write wait meanwhile (it waits for 10 seconds at most)."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@contextmanager
def serve(folder: Path) -> Iterator[LiveServer]:
    """Prepare an instance in `folder`, serve it on a free loopback port, and end it.

    Raises NotServing.

    It prints a summary only when somebody opens it, so that other tests have the machine to
    themselves.
    """
    # The listening socket is handed over, so that no other process can take the port in between.
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
    """End this process of ours at the end, whatever happens."""
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
    """The environment of a process of the application: no settings but these, and Spanish is offered unreviewed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCREENING_", "FLASK_"))
    }
    return (
        kept
        | {"SCREENING_INSTANCE": str(instance), "SCREENING_UNREVIEWED_LANGUAGES": "es"}
        | settings
    )


def flask(environ: Mapping[str, str], *words: str) -> None:
    """Run one `flask` command. Raises NotServing with what it printed, if it fails."""
    command = [sys.executable, "-m", "flask", *words]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotServing(f"flask {' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def is_alive(url: str) -> bool:
    """Ask once: the socket listens already, so the answer comes when the application is up, or the connection ends."""
    with closing(
        http.client.HTTPConnection(url.removeprefix("http://"), timeout=START_SECONDS)
    ) as asking:
        try:
            asking.request("GET", "/healthz")
            return asking.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
