"""A process that inserts rows by bare SQL: `python -m benchmarks.inserts URL BYTES`.

It reads a number of rows from each line of its input, and writes `done` when they are inserted.
Each row has its own commit, as durable as the application's.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Self, cast

import psycopg

from screening.printing.renderer_process import ROOT

SQLITE = "sqlite:///"
BUSY_SECONDS = 10


class Inserters:
    """Processes that insert rows of `size` bytes at once; they end with the `with` block."""

    def __init__(self, url: str, size: int, *, processes: int) -> None:
        bare_inserter(url)  # creates the table before several processes would
        self._stack = ExitStack()
        self._processes = [self._start(url, size) for _ in range(processes)]

    def _start(self, url: str, size: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.inserts", url, str(size)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._stack.callback(process.wait)
        for stream in (process.stdout, process.stdin):
            self._stack.callback(cast("IO[str]", stream).close)
        return process

    def insert(self, count: int) -> None:
        """Insert that many rows, divided among the processes; all are committed on return."""
        share, rest = divmod(count, len(self._processes))
        for number, process in enumerate(self._processes):
            requests = cast("IO[str]", process.stdin)
            requests.write(f"{share + (number < rest)}\n")
            requests.flush()
        for process in self._processes:
            if not cast("IO[str]", process.stdout).readline():
                raise RuntimeError("a process that inserts ended; it says why above")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def bare_inserter(url: str) -> Callable[[bytes], object]:
    """Return a function that inserts a row and commits it; create a missing table."""
    if url.startswith(SQLITE):
        lite = sqlite3.connect(url.removeprefix(SQLITE), isolation_level=None, timeout=BUSY_SECONDS)
        lite.execute("PRAGMA journal_mode = WAL")
        lite.execute("PRAGMA synchronous = FULL")
        lite.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, content BLOB)")
        return lambda content: lite.execute("INSERT INTO bare (content) VALUES (?)", (content,))
    server = psycopg.connect(url, autocommit=True)
    server.execute("CREATE TABLE IF NOT EXISTS bare (id BIGSERIAL PRIMARY KEY, content BYTEA)")
    return lambda content: server.execute("INSERT INTO bare (content) VALUES (%s)", (content,))


def main() -> None:
    """Insert the number of rows in each line of the input."""
    url = sys.argv[1]
    size = int(sys.argv[2])
    insert = bare_inserter(url)
    for line in sys.stdin:
        for _ in range(int(line)):
            insert(os.urandom(size))
        print("done", flush=True)


if __name__ == "__main__":
    main()
