"""Patients and prescribers in threads, a record of acknowledged writes, and random numbers."""

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
PATIENCE = 60  # seconds; some thread writes within them
# each sixth answer is dropped, as if the worker had been killed between commit and answer
LOST = 6
NEWEST = 4  # prescribers work on so few screenings that they often meet on one


class Work:
    """The writes of a clinic until `stop` is set, and their results."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.url = url
        self.chance = chance
        self.stop = threading.Event()
        self.going_on: list[Future[None]] = []
        self.sent: dict[str, Patient] = {}  # by the acknowledged reference
        # by the mark of an acknowledged entry: reference, kind
        self.added: dict[str, tuple[str, str]] = {}
        self.broken: list[str] = []  # the kind of each write whose connection broke
        self.lost: list[str] = []  # the kind of each write whose answer was lost
        self.took = dict.fromkeys(KINDS, 0.05)  # seconds that the last write of each kind took
        self._under_way = {kind: threading.Event() for kind in KINDS}
        self._numbers = itertools.count(1)
        self._answers = {kind: itertools.count(1) for kind in KINDS}
        self._arrived = threading.Semaphore(0)

    def entries(self) -> Counter[object]:
        """Return the number of acknowledged entries of each reference so far."""
        return Counter(reference for reference, _ in list(self.added.values()))

    def audited(self) -> Counter[tuple[object, ...]]:
        """Return the number of rows that the audit log must hold for each reference and action."""
        sent = Counter((reference, AUDITED[SUBMIT]) for reference in self.sent)
        return sent + Counter((reference, AUDITED[kind]) for reference, kind in self.added.values())

    def check(self) -> None:
        """Raise the exceptions of threads so far."""
        for future in self.going_on:
            if future.done():
                future.result()

    def wait_until_sent(self, number: int) -> None:
        """Wait until `number` more questionnaires were sent."""
        for _ in range(number):
            self._wait(lambda seconds: self._arrived.acquire(timeout=seconds), "was sent")

    def wait_until_begun(self, kind: str) -> None:
        """Wait until the next write of this kind begins."""
        self._under_way[kind].clear()
        self._wait(self._under_way[kind].wait, f"of the kind {kind} was begun")

    def _wait(self, for_seconds: Callable[[float], bool], event: str) -> None:
        """Wait in steps, so that an exception of a thread is raised at once."""
        for _ in range(PATIENCE):
            self.check()
            if for_seconds(1.0):
                return
        raise AssertionError(f"nothing {event} for {PATIENCE} seconds")

    def send_questionnaires(self) -> None:
        """Send questionnaires, one patient after the other."""
        while not self.stop.is_set():
            patient = Patient(self.url, f"{next(self._numbers):04d}{secrets.token_hex(4)}")
            patient.fill_in()
            self.send(patient)

    def send(self, patient: Patient) -> None:
        """Press Send again and again until the clinic acknowledges it, and record the reference."""
        while (page := self._write(SUBMIT, patient.press_send)) is None:
            continue
        page.leading_to("/done")
        reference = patient.reference()
        assert reference not in self.sent, f"{reference} was given to two patients"
        self.sent[reference] = patient
        self._arrived.release()

    def review_screenings(self, prescriber: Prescriber) -> None:
        """Add entries one after the other, each to one of the newest screenings."""
        while not self.stop.is_set():
            if newest := list(self.sent)[-NEWEST:]:
                self.add(
                    prescriber, self.chance.choice(newest), self.chance.choice((CLARIFY, REVIEW))
                )
            else:
                self.stop.wait(0.02)

    def add(self, prescriber: Prescriber, reference: str, kind: str) -> None:
        """Add one entry.

        Without an answer, or after a conflict, look first whether it is there already.
        """
        actor = {CLARIFY: prescriber.clarify, REVIEW: prescriber.decide}[kind]
        mark = f"mark{secrets.token_hex(6)}"
        screening = prescriber.screening(reference)
        while True:
            seen = entries_seen(screening)
            page = self._write(kind, lambda seen=seen: actor(reference, mark, seen=seen))
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
        """Return the answer to one write, or None if it never arrived."""
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
    """Run so many patients and these prescribers in threads; each finishes its work at the end."""
    work = Work(url, chance)
    with ThreadPoolExecutor(patients + len(prescribers)) as threads:
        work.going_on += [threads.submit(work.send_questionnaires) for _ in range(patients)]
        work.going_on += [
            threads.submit(work.review_screenings, prescriber) for prescriber in prescribers
        ]
        try:
            yield work
        finally:
            work.stop.set()
    work.check()


@contextmanager
def seeded() -> Iterator[random.Random]:
    """Yield random numbers; an exception gets their seed as a note."""
    seed = random.SystemRandom().randrange(10**9)
    try:
        yield random.Random(seed)
    except BaseException as err:
        err.add_note(f"The seed was {seed}.")
        raise
