"""Workers are killed at random moments of a write: no acknowledged write is lost or doubled."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.browsing import Page, Prescriber
from tests.faults.serving import NewDatabase, Server, served
from tests.faults.working import AUDITED, KINDS, Work, at_work, seeded

MANY = 50
PATIENTS = 3
PRESCRIBERS = 2


@pytest.mark.parametrize(
    ("new_database", "kills"),
    [
        pytest.param("sqlite", MANY, marks=pytest.mark.audit),
        pytest.param("postgresql", MANY, marks=pytest.mark.audit),
    ],
    indirect=["new_database"],
)
def test_whatever_was_acknowledged_is_there_exactly_once_however_often_workers_are_killed(
    tmp_path: Path, new_database: NewDatabase, kills: int
) -> None:
    with seeded() as chance, served(tmp_path, new_database()) as server:
        first = Prescriber.added_to(server)
        prescribers = [first, *(Prescriber.signed_in(server) for _ in range(PRESCRIBERS - 1))]
        with at_work(server.url, patients=PATIENTS, prescribers=prescribers, chance=chance) as work:
            killed = kill_workers(server, work, chance, kills)
        assert killed >= kills
        for fault, writes in (("interrupted", work.broken), ("without its answer", work.lost)):
            assert set(writes) == set(KINDS), (
                f"not every kind of write was {fault}: {Counter(writes)}"
            )
        assert server.faults() == []
        assert_stored(server, work)
        assert_shown(first, work)
        server.flask("verify")
        server.flask("audit", "verify")


def kill_workers(server: Server, work: Work, chance: random.Random, kills: int) -> int:
    """Kill workers at random moments after a write began, and return how many."""
    killed: set[int] = set()
    while len(killed) < kills:
        kind = chance.choice(KINDS)
        work.wait_until_begun(kind)
        time.sleep(chance.uniform(0, 1.5 * work.took[kind]))
        living = [worker for worker in server.workers() if worker not in killed]
        for worker in chance.sample(living, min(len(living), chance.choice((1, 2)))):
            server.kill(worker)
            killed.add(worker)
    return len(killed)


def assert_stored(server: Server, work: Work) -> None:
    """Assert that the database holds what was acknowledged, and nothing else."""
    entries = work.entries()
    stored = server.rows("SELECT reference, entries FROM screenings")
    assert sorted(stored) == sorted((reference, entries[reference]) for reference in work.sent)
    numbered = server.rows(
        "SELECT reference, number FROM entries JOIN screenings ON screening_id = screenings.id"
    )
    assert sorted(numbered) == sorted(
        (reference, number)
        for reference, count in entries.items()
        for number in range(1, count + 1)
    )
    actions = ", ".join(f"'{action}'" for action in AUDITED.values())
    assert (
        Counter(server.rows(f"SELECT subject, action FROM audit WHERE action IN ({actions})"))
        == work.audited()
    )


def assert_shown(prescriber: Prescriber, work: Work) -> None:
    """Assert that the clinic's pages show each patient's own words and each entry once."""
    with ThreadPoolExecutor(4) as readers:
        pages: dict[str, Page] = dict(
            zip(work.sent, readers.map(prescriber.screening, work.sent), strict=True)
        )
    for reference, patient in work.sent.items():
        page = pages[reference]
        assert f"<h1><bdi>{patient.name}</bdi></h1>" in page.html, page.text
        assert patient.reaction in page.html, page.text
    for mark, (reference, _) in work.added.items():
        assert pages[reference].html.count(mark) == 1, pages[reference].text
