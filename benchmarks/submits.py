"""Submitting questionnaires to the application, compared to bare inserts, on both databases."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import text

from benchmarks.inserts import SQLITE, Inserters
from benchmarks.installed import installed
from benchmarks.serving import (
    ANSWER_SECONDS,
    THREADS,
    Served,
    csrf_token,
    get,
    new_database,
    postgresql,
    serve,
)
from benchmarks.timing import Progress, Side, Table, Times, milliseconds, seconds, take_turns
from benchmarks.usual_case import usual_answers, usual_patient
from screening.domain.answers import read_answers
from screening.extensions import db
from screening.installation import current_installation
from screening.services import questionnaire
from screening.storage.audit import Actor
from screening.storage.drafts import Draft

ROUNDS = 10
EACH = 200  # submits in each round
QUICK_ROUNDS = 4
QUICK_EACH = 25
WORKERS = 2
AT_ONCE = WORKERS * THREADS
DRAFT_COOKIE = "draft"  # its name without TLS
AWAIT_SECONDS = 60
TO_REACH = "at least 100 each second, p99 under 500 ms, 0 errors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A complete questionnaire: the cookies and the form that submit it."""

    cookies: str
    form: str


@dataclass(slots=True, kw_only=True)
class Clinic:
    """A served installation, the questionnaires to submit to it, and the results."""

    name: str
    app: Flask
    served: Served
    ready: deque[Ready] = field(default_factory=deque)
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    client_share: list[float] = field(default_factory=list)


def measure(quick: bool) -> Table:
    """Time rounds of submits and of bare inserts on both databases, in turns."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    each = QUICK_EACH if quick else EACH
    with ExitStack() as stack:
        server = stack.enter_context(postgresql())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        bare = {
            "SQLite": f"{SQLITE}{Path(folder) / 'bare.db'}",
            "PostgreSQL": new_database(server, "bare"),
        }
        clinics = []
        sides = []
        sizes = []
        for name, url in (("SQLite", ""), ("PostgreSQL", new_database(server, "ours"))):
            clinic = _clinic(stack, name, url, (rounds + 1) * each)
            _send(clinic, each, at_once=AT_ONCE)  # to warm up
            if len(clinic.errors) == each:
                raise RuntimeError(f"{name} took nothing: {set(clinic.errors)}")
            clinic.latencies.clear()
            clinic.client_share.clear()
            sizes.append(_row_size(clinic.app))
            inserters = stack.enter_context(Inserters(bare[name], sizes[-1], processes=WORKERS))
            inserters.insert(each)
            clinics.append(clinic)
            sides.append(Side(name=name, run=_sending(clinic, each)))
            sides.append(Side(name=f"{name}, bare", run=_inserting(inserters, each)))
        times = take_turns("submits", sides, rounds=rounds, warm_up=0)
        for clinic in clinics:
            _check_stored(clinic, (rounds + 1) * each)
    pairs = zip(clinics, times[::2], times[1::2], strict=True)
    most_client_time = max(max(clinic.client_share) for clinic in clinics)
    return Table(
        title="Submits",
        head=(
            "Database",
            "each second",
            "p50",
            "p99",
            "errors",
            "bare inserts each second",
            "ratio",
            "to reach",
        ),
        rows=tuple(_row(clinic, ours, bare, each) for clinic, ours, bare in pairs),
        notes=(
            f"{rounds} rounds of {each} submits, in turns; {AT_ONCE} patients send at the same "
            "time, each over a separate connection, and the next patient follows each answer; "
            f"gunicorn with {WORKERS} workers of {THREADS} threads. Submits each second are a "
            "median over rounds, p50 and p99 are over all submits. All acknowledged submits were "
            "found stored.",
            f"The ratio is the time of a submit to that of a bare insert: a row of {sizes[0]:,} "
            f"random bytes, as long as a stored screening, in its own commit, by {WORKERS} "
            "processes without HTTP. The middle half of the ratios is in brackets. Both databases "
            "wait for the disk at each commit (SQLite: WAL, synchronous = FULL; PostgreSQL: its "
            "defaults).",
            f"The client took {most_client_time * 100:.0f} % of one core at most.",
            *(
                f"{clinic.name}: {sorted(set(clinic.errors))[:5]}"
                for clinic in clinics
                if clinic.errors
            ),
        ),
    )


def _row(clinic: Clinic, ours: Times, bare: Times, each: int) -> tuple[str, ...]:
    percentiles = quantiles(clinic.latencies, n=100, method="inclusive")
    return (
        clinic.name,
        f"{each / ours.median:,.0f}",
        milliseconds(median(clinic.latencies)),
        milliseconds(percentiles[98]),
        str(len(clinic.errors)),
        f"{each / bare.median:,.0f}",
        ours.ratio_to(bare),
        TO_REACH,
    )


def _clinic(stack: ExitStack, name: str, url: str, count: int) -> Clinic:
    """Serve an installation on that database, with `count` questionnaires to submit."""
    app = stack.enter_context(installed(url))
    tokens = list(complete_drafts(app, count))
    clinic = Clinic(name=name, app=app, served=stack.enter_context(serve(app, workers=WORKERS)))
    progress = Progress(f"submits, forms on {name}", count)
    with closing(clinic.served.connection()) as connection:
        for token in tokens:
            page, cookies = get(connection, "/check", f"{DRAFT_COOKIE}={token}")
            form = urlencode({"csrf_token": csrf_token(page)})
            cookie_header = "; ".join([f"{DRAFT_COOKIE}={token}", *cookies])
            clinic.ready.append(Ready(cookies=cookie_header, form=form))
            progress.advance()
    return clinic


def complete_drafts(app: Flask, count: int) -> Iterator[str]:
    """Store complete drafts, each of another patient, and yield their tokens."""
    now = datetime.now(UTC)
    keep = timedelta(hours=4)
    with app.app_context():
        installation = current_installation()
        book = installation.books[installation.settings.languages[0]]
        for number in range(count):
            answers = read_answers(book, usual_answers(number))
            filled_in = Draft(patient=usual_patient(number), answers=answers)
            actor = Actor(session=db.session, keys=installation.keys, now=now, by="patient")
            token = questionnaire.begin(actor, address="", keep=keep)
            questionnaire.record(actor, token, lambda _, filled_in=filled_in: filled_in, keep=keep)  # type: ignore[misc]
            yield token


def _sending(clinic: Clinic, count: int) -> Callable[[], float]:
    return lambda: _send(clinic, count, at_once=AT_ONCE)


def _inserting(inserters: Inserters, count: int) -> Callable[[], float]:
    return lambda: seconds(lambda: inserters.insert(count))


def _send(clinic: Clinic, count: int, *, at_once: int) -> float:
    """Submit `count` questionnaires; return the seconds until the last one is acknowledged."""
    waiting = deque(clinic.ready.popleft() for _ in range(count))
    start = threading.Barrier(at_once + 1)

    def submit_all() -> None:
        start.wait(AWAIT_SECONDS)
        with suppress(IndexError):
            while True:
                _submit(clinic, waiting.popleft())

    threads = [threading.Thread(target=submit_all) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    start.wait(AWAIT_SECONDS)
    begun = time.perf_counter()
    processor = time.process_time()
    for thread in threads:
        thread.join()
    duration = time.perf_counter() - begun
    clinic.client_share.append((time.process_time() - processor) / duration)
    return duration


def _submit(clinic: Clinic, ready: Ready) -> None:
    """Submit a questionnaire over a separate connection, as each patient does."""
    headers = {"Cookie": ready.cookies, "Content-Type": "application/x-www-form-urlencoded"}
    port = clinic.served.port
    begun = time.perf_counter()
    try:
        opened = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        with closing(opened) as connection:
            connection.request("POST", "/submit", ready.form, headers)
            answer = connection.getresponse()
            answer.read()
    except (OSError, http.client.HTTPException) as err:
        clinic.errors.append(type(err).__name__)
        return
    clinic.latencies.append(time.perf_counter() - begun)
    target = answer.headers.get("Location", "")
    if answer.status != http.HTTPStatus.SEE_OTHER or not target.endswith("/done"):
        clinic.errors.append(f"{answer.status} {target}")


def _row_size(app: Flask) -> int:
    """Return the bytes of all columns of a stored screening."""
    with app.app_context():
        row = db.session.execute(text("SELECT * FROM screenings LIMIT 1")).one()
        return sum(len(value) if isinstance(value, bytes | str) else 8 for value in row)


def _check_stored(clinic: Clinic, sent: int) -> None:
    """Raise RuntimeError where an acknowledged screening is missing or stored twice."""
    with clinic.app.app_context():
        stored = db.session.execute(text("SELECT count(*) FROM screenings")).scalar_one()
    if not sent - len(clinic.errors) <= stored <= sent:
        raise RuntimeError(
            f"{clinic.name}: {sent} sent with {len(clinic.errors)} errors, but {stored} are stored"
        )
