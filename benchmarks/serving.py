"""The application as it is served, and a PostgreSQL server of one's own whose commits are on the disk."""

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

from screening.installation import installation
from screening.printing.renderer_process import ROOT

THREADS = 4  # of each worker, as `make run` has it
ANSWER_SECONDS = 300
STOP_SECONDS = 20
POSTGRESQL = Path("/usr/lib/postgresql")
CSRF = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running application: its port on loopback and the process id of gunicorn's first process."""

    port: int
    process: int

    def connection(self) -> http.client.HTTPConnection:
        """A connection that is kept open, already accepted by one of the workers."""
        opened = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        get(opened, "/healthz")
        return opened

    def resident(self) -> list[int]:
        """The resident memory in bytes of each worker."""
        children = (
            Path(f"/proc/{self.process}/task/{self.process}/children")
            .read_text(encoding="ascii")
            .split()
        )
        page = os.sysconf("SC_PAGE_SIZE")
        return [
            int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1]) * page
            for one in children
        ]


@contextmanager
def serve(app: Flask, *, workers: int) -> Iterator[Served]:
    """Serve an installation with gunicorn, as `make run` does; every worker is ready when this begins."""
    settings = installation(app).settings
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SCREENING_", "FLASK_"))
    }
    environ = kept | {
        "SCREENING_INSTANCE": str(settings.instance),
        "SCREENING_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    # The listening socket is handed over, so that no other process can take the port in between.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--bind",
            f"fd://{listener.fileno()}",
            "--no-control-socket",
        ]
        command += [
            "--worker-class",
            "worker.Worker",
            "--workers",
            str(workers),
            "--threads",
            str(THREADS),
        ]
        command += ["--log-level", "warning", "--keep-alive", str(ANSWER_SECONDS)]
        command += ["--config", "python:benchmarks.hooks", "wsgi:app"]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        served = Served(port=listener.getsockname()[1], process=process.pid)
    said = cast("IO[str]", process.stdout)
    try:
        for _ in range(workers):
            if not said.readline():
                raise RuntimeError("gunicorn could not start all its workers; it says why above")
        yield served
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
        said.close()


def get(
    connection: http.client.HTTPConnection, address: str, cookies: str = ""
) -> tuple[str, list[str]]:
    """Open an address; the page, and the cookies set with it.

    Raises RuntimeError where it is not answered by 200.
    """
    connection.request("GET", address, headers={"Cookie": cookies} if cookies else {})
    answer = connection.getresponse()
    page = answer.read().decode()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(
            f"{address} answered {answer.status}: the measure no longer prepares what the page needs"
        )
    return page, [one.partition(";")[0] for one in answer.headers.get_all("Set-Cookie", [])]


def csrf_token(page: str) -> str:
    """The token of the forms on a page."""
    found = CSRF.search(page)
    if found is None:
        raise RuntimeError("the page has no form with a CSRF token")
    return found[1]


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a server with default settings, without a database name: a commit waits for the disk."""
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

    def run(*command: str) -> None:
        subprocess.run(
            command,
            check=True,
            user=user,
            cwd=home,
            env={"LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
        )

    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=on"
    )
    control = f"{programs[-1]}/pg_ctl"
    try:
        run(
            f"{programs[-1]}/initdb",
            "-D",
            f"{home}/data",
            "-U",
            "bench",
            "--auth=trust",
            "--encoding=UTF8",
        )
        run(control, "-D", f"{home}/data", "-w", "-o", options, "-l", f"{home}/log", "start")
        try:
            yield f"postgresql://bench@127.0.0.1:{port}"
        finally:
            run(control, "-D", f"{home}/data", "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(home)


def new_database(server: str, name: str) -> str:
    """The URL of a new, empty database of a PostgreSQL server."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}/{name}"
