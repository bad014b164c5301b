"""The application with views and background work that never end, and views that break the disk."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, Response

from screening import background
from tests.faults.failing_disk import fail

FOREVER = 600  # seconds
MASTER = os.getpid()  # it loads this module, and nobody watches its threads
read_list = background.read_list


def read_list_or_never_end(app: Flask) -> bool:
    """Never end while the file `hang` exists."""
    if os.getpid() != MASTER and (Path(app.instance_path) / "hang").exists():
        time.sleep(FOREVER)
    return read_list(app)


background.read_list = read_list_or_never_end

from wsgi import app  # noqa: E402 - it starts the threads


@app.get("/stuck")
def stuck() -> str:
    """Never answer."""
    time.sleep(FOREVER)
    return ""


@app.get("/stuck/computing")
def stuck_computing() -> str:
    """Never answer, nor let another thread run: a search for a pattern keeps the interpreter."""
    return str(re.match(r"(a+)+b", "a" * 64))


@app.get("/slow/<float:seconds>")
def slow(seconds: float) -> str:
    """Answer after some seconds with the id of the process."""
    time.sleep(seconds)
    return str(os.getpid())


@app.get("/much")
def much() -> Response:
    """Answer with more than a client takes that does not read."""
    return Response(b"x" * 10**6 for _ in range(100))


@app.get("/parts")
def parts() -> Response:
    """Answer for longer than a request may take, part by part."""

    def parts() -> Iterator[str]:
        for number in range(8):
            yield str(number)
            time.sleep(0.5)

    return Response(parts())


@app.get("/failing/<calls>")
def failing(calls: str) -> str:
    """Let these system calls fail in this process from now on; answer with its id."""
    fail(*calls.split("+"))
    return str(os.getpid())
