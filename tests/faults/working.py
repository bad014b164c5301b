"""Patients and prescribers at work in threads, the account of what was acknowledged to them, and chance."""

from __future__ import annotations

import itertools
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus

from tests.faults.browsing import Broken, Page, Patient, Prescriber, entries_seen

SUBMIT = "submit"
CLARIFY = "clarify"
REVIEW = "review"
KINDS = (SUBMIT, CLARIFY, REVIEW)
AUDITED = {SUBMIT: "submitted", CLARIFY: "clarified", REVIEW: "reviewed"}
PATIENCE = 60  # seconds within which there is always somebody who writes
# each sixth answer never arrives, as if the worker had been killed between its commit and its
# answer
LOST = 6
NEWEST = 4  # prescribers work on so few screenings that they often meet on one


class Work:
    """What goes on at a clinic until `stop` is set, and what came of it."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.url = url
        self.chance = chance
        self.stop = threading.Event()
        self.going_on: list[Future[None]] = []
        self.sent: dict[str, Patient] = {}  # by the reference that was acknowledged
        # by the mark of an entry that was acknowledged: reference, kind
        self.added: dict[str, tuple[str, str]] = {}
        self.broken: list[str] = []  # the kind of each write whose connection broke
        self.lost: list[str] = []  # the kind of each write whose answer was lost
        self.took = dict.fromkeys(KINDS, 0.05)  # seconds that the last write of each kind took
        self._under_way = {kind: threading.Event() for kind in KINDS}
        self._numbers = itertools.count(1)
        self._answers = {kind: itertools.count(1) for kind in KINDS}
        self._arrived = threading.Semaphore(0)

    def entries(self) -> Counter[object]:
        """How many entries were acknowledged for each reference so far."""
        return Counter(reference for reference, _ in list(self.added.values()))

    def audited(self) -> Counter[tuple[object, ...]]:
        """How often the audit log has to tell of each reference and action."""
        sent = Counter((reference, AUDITED[SUBMIT]) for reference in self.sent)
        return sent + Counter((reference, AUDITED[kind]) for reference, kind in self.added.values())

    def check(self) -> None:
        """Raise what went wrong in a thread so far."""
        for one in self.going_on:
            if one.done():
                one.result()

    def wait_until_sent(self, number: int) -> None:
        """Wait until so many more questionnaires were sent."""
        for _ in range(number):
            self._wait(lambda seconds: self._arrived.acquire(timeout=seconds), "was sent")

    def wait_until_begun(self, kind: str) -> None:
        """Wait until somebody sends the next write of this kind."""
        self._under_way[kind].clear()
        self._wait(self._under_way[kind].wait, f"of the kind {kind} was begun")

    def _wait(self, for_seconds: Callable[[float], bool], what: str) -> None:
        """Wait in parts, so that what goes wrong in a thread meanwhile is told at once."""
        for _ in range(PATIENCE):
            self.check()
            if for_seconds(1.0):
                return
        raise AssertionError(f"nothing {what} for {PATIENCE} seconds")

    def send_questionnaires(self) -> None:
        """One patient after the other."""
        while not self.stop.is_set():
            patient = Patient(self.url, f"{next(self._numbers):04d}{secrets.token_hex(4)}")
            patient.fill_in()
            self.send(patient)

    def send(self, patient: Patient) -> None:
        """RendererProcess the button again and again until the clinic acknowledges, and note the reference."""
        while (page := self._write(SUBMIT, patient.press_send)) is None:
            continue
        page.leading_to("/done")
        reference = patient.reference()
        assert reference not in self.sent, f"{reference} was given to two patients"
        self.sent[reference] = patient
        self._arrived.release()

    def review_screenings(self, prescriber: Prescriber) -> None:
        """One entry after the other, each for one of the newest screenings."""
        while not self.stop.is_set():
            if newest := list(self.sent)[-NEWEST:]:
                self.add(
                    prescriber, self.chance.choice(newest), self.chance.choice((CLARIFY, REVIEW))
                )
            else:
                self.stop.wait(0.02)

    def add(self, prescriber: Prescriber, reference: str, kind: str) -> None:
        """Add one entry.

        Where no answer came, or somebody was faster, look first whether it is there already.
        """
        act = {CLARIFY: prescriber.clarify, REVIEW: prescriber.decide}[kind]
        mark = f"mark{secrets.token_hex(6)}"
        screening = prescriber.screening(reference)
        while True:
            seen = entries_seen(screening)
            page = self._write(kind, lambda seen=seen: act(reference, mark, seen=seen))
            if page is not None and page.status != HTTPStatus.CONFLICT:
                page.leading_to(f"/clinic/screenings/{reference}")
                break
            screening = prescriber.screening(reference)
            if mark in screening.html:
                assert page is None, (
                    f"{kind} of {reference} was refused with 409, but it was recorded"
                )
                break
        self.added[mark] = reference, kind

    def _write(self, kind: str, ask: Callable[[], Page]) -> Page | None:
        """The answer to one write; None where it never arrived."""
        begun = time.monotonic()
        self._under_way[kind].set()
        try:
            page = ask()
        except Broken:
            self.broken.append(kind)
            return None
        self.took[kind] = time.monotonic() - begun
        if next(self._answers[kind]) % LOST == 0:
            self.lost.append(kind)
            return None
        return page


@contextmanager
def at_work(
    url: str, *, patients: int, prescribers: Sequence[Prescriber] = (), chance: random.Random
) -> Iterator[Work]:
    """So many patients and these prescribers at work meanwhile.

    At the end each finishes what was begun.
    """
    work = Work(url, chance)
    with ThreadPoolExecutor(patients + len(prescribers)) as threads:
        work.going_on += [threads.submit(work.send_questionnaires) for _ in range(patients)]
        work.going_on += [threads.submit(work.review_screenings, one) for one in prescribers]
        try:
            yield work
        finally:
            work.stop.set()
    work.check()


@contextmanager
def seeded() -> Iterator[random.Random]:
    """Random numbers whose seed is named in the notes of whatever is raised."""
    seed = random.SystemRandom().randrange(10**9)
    try:
        yield random.Random(seed)
    except BaseException as err:
        err.add_note(f"The seed was {seed}.")
        raise
