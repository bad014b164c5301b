"""With a full disk or a locked database nothing is acknowledged and nothing is lost."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.faults.browsing import Page, Patient
from tests.faults.serving import Server, served

FEW_BYTES = 16 * 1024  # less than one questionnaire adds to SQLite's journal
KIND_WORDS = (
    "Your last answer may not be saved. Everything before it is. Please go back and try again."
)


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        earlier = Patient(server.url, "earlier")
        patient = Patient(server.url, "patient")
        earlier.fill_in()
        reference = earlier.send()
        patient.fill_in()
        with disk_full(server):
            for _ in range(3):
                assert_kind(patient.press_send())
            assert patient.get("/done").status == HTTPStatus.CONFLICT
            assert_kind(patient.post("/questions/infection", {"infection": "yes"}))
            assert patient.reaction in patient.open("/check").text
            assert earlier.reference() == reference
            assert stored(server) == [reference]
        assert sorted([reference, patient.send()]) == sorted(stored(server))
        assert patient.reaction in patient.open("/copy").text
        server.flask("verify")


@pytest.mark.audit
def test_a_database_held_for_longer_than_is_waited_for_can_be_written_to_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_BUSY_SECONDS", "2")
    with served(tmp_path) as server:
        patient = Patient(server.url, "patient")
        patient.fill_in()
        before = stored(server)
        with held(server):
            assert_kind(patient.press_send())
            assert patient.reaction in patient.open("/check").text
        assert stored(server) == before
        assert patient.send() in stored(server)


@contextmanager
def disk_full(server: Server) -> Iterator[None]:
    """Forbid the server's processes to make a file longer than FEW_BYTES."""
    processes = server.processes()
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (FEW_BYTES, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for process in processes:
            resource.prlimit(
                process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )


@contextmanager
def held(server: Server) -> Iterator[None]:
    """Lock the database for all other writers."""
    with closing(
        sqlite3.connect(server.instance / "screening.db", isolation_level=None)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def stored(server: Server) -> list[object]:
    """Return the references of all stored screenings."""
    return [reference for (reference,) in server.rows("SELECT reference FROM screenings")]


def assert_kind(page: Page) -> None:
    """Assert that the page reports an error on our side, and the next step."""
    assert page.status == HTTPStatus.INTERNAL_SERVER_ERROR, page.text
    assert KIND_WORDS in page.text
