"""Starting the application in a new process, compared to importing its libraries alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial

from benchmarks.timing import Side, Table, Times, milliseconds, take_turns
from screening.printing.renderer_process import ROOT

ROUNDS = 20
QUICK_ROUNDS = 4
LIBRARIES = (
    "import flask, flask_babel, flask_security, flask_sqlalchemy_lite, flask_wtf, sqlalchemy.orm"
)


def measure(quick: bool) -> Table:
    """Measure the processor time of both, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"SCREENING_INSTANCE": folder, "FLASK_RUN_FROM_CLI": "true"}
        sides = [
            Side(name="import wsgi", run=_process("import wsgi", environment)),
            Side(name="the libraries", run=_process(LIBRARIES, environment)),
        ]
        own, libraries = take_turns("start", sides, rounds=QUICK_ROUNDS if quick else ROUNDS)
    return Table(
        title="Starting",
        head=("A new process", "processor time", "ratio to the libraries", "to reach"),
        rows=(
            ("import and create_app", *_row(own, libraries), "at most 500 ms"),
            ("the libraries alone", *_row(libraries, libraries), ""),
        ),
        notes=(f"{len(own.seconds)} rounds, in turns; processor time of the whole process.",),
    )


def _process(code: str, environment: dict[str, str]) -> Callable[[], float]:
    return partial(_processor_time, [sys.executable, "-c", code], environment)


def _processor_time(command: list[str], environment: dict[str, str]) -> float:
    """Return the processor time of a command, in seconds."""
    before = os.times()
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def _row(times: Times, libraries: Times) -> tuple[str, str]:
    return milliseconds(times.median), times.ratio_to(libraries)
