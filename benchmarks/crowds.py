"""A patient's page while one visitor asks with many connections, next to the same page without."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import quantiles

from benchmarks.timing import Side, Table, Times, milliseconds, take_turns
from tests.faults.browsing import Patient, wrong_sign_ins
from tests.faults.crowd import crowd
from tests.faults.serving import Server, served

ROUNDS = 6
QUICK_ROUNDS = 2
LOOKS = 60  # in each round
PAGE = "/questions/pregnancy"
COPIES = 400  # connections
SIGN_INS = 40
RESTING = 0.05  # seconds of the processor, in one second
TO_REACH = "under 500 ms"


def measure(quick: bool) -> Table:
    """The page without a crowd and with either of them, in turns; a round counts with its 95th percentile."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), prints=True) as server:
        patient = Patient(server.url, "patient")
        visitor = Patient(server.url, "crowd")
        patient.fill_in()
        visitor.fill_in()
        visitor.send()
        crowds = {
            "without a crowd": (0, [b""]),
            f"{COPIES} connections ask for /copy.pdf, with one filled-in form": (
                COPIES,
                [visitor.asking("/copy.pdf")],
            ),
            f"{SIGN_INS} sign in wrongly": (SIGN_INS, wrong_sign_ins(server.url, SIGN_INS)),
        }
        answered = {name: Counter[str]() for name in crowds}
        sides = [
            Side(name=name, run=_waiting(server, patient, *asked, answered[name]))
            for name, asked in crowds.items()
        ]
        quiet, *others = take_turns("crowds", sides, rounds=QUICK_ROUNDS if quick else ROUNDS)
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
            *(_row(one, one.ratio_to(quiet), _told(answered[one.name])) for one in others),
        ),
        notes=(
            f"{len(quiet.seconds)} rounds of {LOOKS} looks, in turns; gunicorn with 2 workers of 4 threads, "
            "SQLite. p95 is the median over rounds of the time within which 95 of 100 pages came. The middle half of "
            "the ratios is in brackets. The crowd runs on the same machine and takes processor time as well.",
        ),
    )


def _waiting(
    server: Server,
    patient: Patient,
    connections: int,
    requests: list[bytes],
    answered: Counter[str],
) -> Callable[[], float]:
    """One round: the seconds within which 95 of 100 pages come meanwhile."""

    def run() -> float:
        # so that each round begins with sign-ins that are not refused at once
        server.change("DELETE FROM attempts")
        with (
            crowd(server.address, connections, requests)
            if connections
            else nullcontext(Counter[str]()) as answers
        ):
            taken = patient.waits(PAGE, LOOKS)
        answered.update(answers)
        _let_rest(server)
        return quantiles(taken, n=20, method="inclusive")[-1]

    return run


def _let_rest(server: Server) -> None:
    """Wait until the server has worked off what the crowd asked for, so that the next round does not wait for it."""
    before = -1.0
    now = 0.0
    while now > before + RESTING:
        before = now
        time.sleep(1)
        now = sum(_processor_time(worker) for worker in server.workers())


def _processor_time(process: int) -> float:
    """The seconds of the processor that a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _row(times: Times, ratio: str, told: str) -> tuple[str, ...]:
    return (
        times.name,
        milliseconds(times.median),
        milliseconds(max(times.seconds)),
        ratio,
        TO_REACH,
        told,
    )


def _told(answered: Counter[str]) -> str:
    return ", ".join(f"{count:,} with {status}" for status, count in answered.most_common())
