"""A patient's page while a visitor sends requests over many connections, compared to without."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from benchmarks.timing import Side, Table, Times, milliseconds, take_turns
from tests.faults.browsing import Patient, wrong_sign_ins
from tests.faults.crowd import crowd
from tests.faults.serving import Server, served

ROUNDS = 6
QUICK_ROUNDS = 2
LOOKS = 60  # requests of the patient in each round
PAGE = "/questions/pregnancy"
COPIES = 400  # connections
SIGN_INS = 40  # connections
RESTING = 0.05  # processor seconds within a second
TO_REACH = "under 500 ms"


def measure(quick: bool) -> Table:
    """Time the page without a crowd and with each crowd, in turns.

    The time of a round is its 95th percentile.
    """
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), prints=True) as server:
        patient = Patient(server.url, "patient")
        visitor = Patient(server.url, "crowd")
        patient.fill_in()
        visitor.fill_in()
        visitor.send()
        copies = f"{COPIES} connections ask for /copy.pdf, with one filled-in form"
        sign_ins = f"{SIGN_INS} sign in wrongly"
        crowds = {
            "without a crowd": (0, [b""]),
            copies: (COPIES, [visitor.asking("/copy.pdf")]),
            sign_ins: (SIGN_INS, wrong_sign_ins(server.url, SIGN_INS)),
        }
        answered = {name: Counter[str]() for name in crowds}
        sides = [
            Side(name=name, run=_waiting(server, patient, *requests, answered[name]))
            for name, requests in crowds.items()
        ]
        quiet, *crowded = take_turns("crowds", sides, rounds=QUICK_ROUNDS if quick else ROUNDS)
    return Table(
        title="Crowds",
        head=(
            "A patient's page",
            "p95",
            "slowest round",
            "ratio",
            "to reach",
            "answers to the crowd",
        ),
        rows=(
            _row(quiet, "1", ""),
            *(
                _row(times, times.ratio_to(quiet), _statuses(answered[times.name]))
                for times in crowded
            ),
        ),
        notes=(
            f"{len(quiet.seconds)} rounds of {LOOKS} requests, in turns; gunicorn with 2 workers "
            "of 4 threads, SQLite. p95 is the median over rounds of the time within which 95 of "
            "100 pages came. The middle half of the ratios is in brackets. The crowd runs on the "
            "same machine and takes processor time as well.",
        ),
    )


def _waiting(
    server: Server,
    patient: Patient,
    connections: int,
    requests: list[bytes],
    answered: Counter[str],
) -> Callable[[], float]:
    """Return a function that runs a round and returns the 95th percentile in seconds."""

    def run() -> float:
        # without this, sign-ins of a later round would be refused at once
        server.change("DELETE FROM attempts")
        if connections:
            with crowd(server.address, connections, requests) as answers:
                durations = patient.waits(PAGE, LOOKS)
            answered.update(answers)
        else:
            durations = patient.waits(PAGE, LOOKS)
        _let_rest(server)
        return quantiles(durations, n=20, method="inclusive")[-1]

    return run


def _let_rest(server: Server) -> None:
    """Wait until the server has processed the requests of the crowd, before the next round."""
    before = -1.0
    now = 0.0
    while now > before + RESTING:
        before = now
        time.sleep(1)
        now = sum(_processor_time(worker) for worker in server.workers())


def _processor_time(process: int) -> float:
    """Return the processor time that a process has used so far, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _row(times: Times, ratio: str, statuses: str) -> tuple[str, ...]:
    median = milliseconds(times.median)
    slowest = milliseconds(max(times.seconds))
    return (times.name, median, slowest, ratio, TO_REACH, statuses)


def _statuses(answered: Counter[str]) -> str:
    return ", ".join(f"{count:,} with {status}" for status, count in answered.most_common())
