"""Setup that all tests share: rare garbage collection, and a PostgreSQL server of their own."""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_finish() -> None:
    """Exempt all imported modules from garbage collection, which took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, without a database name.

    Fails where PostgreSQL is not installed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.fail("PostgreSQL is not installed; run: apt-get install postgresql")
    # PostgreSQL refuses to run as root, and its own user cannot enter pytest's folders.
    user = "postgres" if os.geteuid() == 0 else None
    home = Path(tempfile.mkdtemp(prefix="screening-postgresql-"))
    if user:
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    with socket.socket() as probe:
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

    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories="
    # No test is about what a power failure leaves.
    options += " -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
    run(
        f"{programs[-1]}/initdb",
        "-D",
        f"{home}/data",
        "-U",
        "tester",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-sync",
    )
    run(
        f"{programs[-1]}/pg_ctl",
        "-D",
        f"{home}/data",
        "-w",
        "-o",
        options,
        "-l",
        f"{home}/log",
        "start",
    )
    try:
        yield f"postgresql://tester@127.0.0.1:{port}"
    finally:
        run(f"{programs[-1]}/pg_ctl", "-D", f"{home}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(home)
