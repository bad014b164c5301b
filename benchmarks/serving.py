"""The application served by gunicorn, and a temporary PostgreSQL server with durable commits."""

from __future__ import annotations

import http.client
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psycopg
from flask import Flask

from screening.installation import current_installation
from screening.printing.renderer_process import ROOT

THREADS = 4  # of each worker, as `make run` has it
ANSWER_SECONDS = 300
STOP_SECONDS = 20
POSTGRESQL = Path("/usr/lib/postgresql")
CSRF = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running application: its port on loopback and the process id of gunicorn's master."""

    port: int
    process: int

    def connection(self) -> http.client.HTTPConnection:
        """Return a persistent connection that a worker has accepted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        get(connection, "/healthz")
        return connection

    def resident(self) -> list[int]:
        """Return the resident memory of each worker, in bytes."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children")
        page = os.sysconf("SC_PAGE_SIZE")
        return [
            int(Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[1]) * page
            for worker in children.read_text(encoding="ascii").split()
        ]


@contextmanager
def serve(app: Flask, *, workers: int) -> Iterator[Served]:
    """Serve an installation with gunicorn, as `make run` does, once every worker is ready."""
    settings = current_installation(app).settings
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCREENING_", "FLASK_"))
    }
    environ = kept | {
        "SCREENING_INSTANCE": str(settings.instance),
        "SCREENING_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    # gunicorn inherits the listening socket, so that no other process can take the port meanwhile.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = f"--bind fd://{listener.fileno()} --workers {workers} --threads {THREADS}"
        options += f" --keep-alive {ANSWER_SECONDS} --config python:benchmarks.hooks"
        command = [sys.executable, "-m", "gunicorn", *options.split(), "wsgi:app"]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        served = Served(port=listener.getsockname()[1], process=process.pid)
    output = cast("IO[str]", process.stdout)
    try:
        for _ in range(workers):
            if not output.readline():
                raise RuntimeError("gunicorn could not start all its workers; see its log above")
        yield served
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
        output.close()


def get(
    connection: http.client.HTTPConnection, address: str, cookies: str = ""
) -> tuple[str, list[str]]:
    """Return the page at an address and the cookies that it sets.

    Raises RuntimeError for a status other than 200.
    """
    connection.request("GET", address, headers={"Cookie": cookies} if cookies else {})
    answer = connection.getresponse()
    page = answer.read().decode()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(
            f"{address} answered {answer.status}: the benchmark must prepare what the page needs"
        )
    set_cookies = answer.headers.get_all("Set-Cookie", [])
    return page, [cookie.partition(";")[0] for cookie in set_cookies]


def csrf_token(page: str) -> str:
    """Return the CSRF token of the forms on a page."""
    match = CSRF.search(page)
    if match is None:
        raise RuntimeError("the page has no form with a CSRF token")
    return match[1]


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server with default settings: a commit waits for the disk.

    Yields its URL without a database name.
    """
    programs = sorted(POSTGRESQL.glob("*/bin"))
    if not programs:
        raise RuntimeError("PostgreSQL is not installed; run: apt-get install postgresql")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    home = Path(tempfile.mkdtemp(prefix="screening-postgresql-"))
    if user:
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs[-1] / program, "-D", home / "data", *arguments],
            check=True,
            user=user,
            cwd=home,
            env={"LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
        )

    options = f"-c listen_addresses=127.0.0.1 -c port={port}"
    options += " -c unix_socket_directories= -c fsync=on"
    try:
        run("initdb", "-U", "bench", "--auth=trust", "--encoding=UTF8")
        run("pg_ctl", "-w", "-o", options, "-l", f"{home}/log", "start")
        try:
            yield f"postgresql://bench@127.0.0.1:{port}"
        finally:
            run("pg_ctl", "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(home)


def new_database(server: str, name: str) -> str:
    """Create an empty database on a PostgreSQL server, and return its URL."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}/{name}"
