"""The clock of a served installation jumps.

Unread answers survive it, as do those that are sent meanwhile.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.browsing import Browser, Patient
from tests.faults.serving import NewDatabase, Server, served

PATIENCE = 30  # seconds


@pytest.mark.audit
@pytest.mark.parametrize("days", [29, 120, 200, -200])
def test_a_clock_that_jumps_deletes_nothing_whoever_writes_meanwhile(
    tmp_path: Path, new_database: NewDatabase, days: int
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="ascii")
    with served(tmp_path, new_database(), TEST_CLOCK=str(clock), TEST_EVERY="0.5") as server:
        sent = {answers_of(server, f"before {number}") for number in range(4)}
        wait_for(server, "SELECT at FROM clocks")
        clock.write_text(str(timedelta(days=days).total_seconds()), encoding="ascii")
        # Rows of the audit log that are written at the wrong time prove nothing.
        sent.add(answers_of(server, "at the wrong time"))
        wrong_password(server)
        wait_for(server, "SELECT at FROM audit WHERE action = 'clock doubted'")
        for worker in server.workers():
            server.kill(worker)
        sent.add(answers_of(server, "to new processes"))
        look_again(server)
        assert stored(server) == sent
        clock.write_text("0", encoding="ascii")
        sent.add(answers_of(server, "after it was set right"))
        look_again(server)
        assert stored(server) == sent
        server.flask("confirm-clock", "--yes")
        wait_for(server, "SELECT at FROM clocks")
        server.flask("purge")
        assert stored(server) == sent
        assert server.rows("SELECT at FROM audit WHERE action = 'deleted'") == []
        assert server.faults() == []
        server.flask("verify")


def answers_of(server: Server, mark: str) -> str:
    """Send a questionnaire as a patient, and return its reference."""
    patient = Patient(server.url, mark)
    patient.fill_in()
    return patient.send()


def wrong_password(server: Server) -> None:
    """Try to sign in as a stranger."""
    browser = Browser(server.url)
    browser.open("/account/sign-in")
    browser.post("/account/sign-in", {"sign_in_name": "dr", "password": "wrong"})


def stored(server: Server) -> set[object]:
    """Return the references of all stored screenings."""
    return {reference for (reference,) in server.rows("SELECT reference FROM screenings")}


def wait_for(server: Server, query: str) -> None:
    """Wait until a query finds a row."""
    until = time.monotonic() + PATIENCE
    while not server.rows(query):
        assert time.monotonic() < until, query
        time.sleep(0.1)


def look_again(server: Server) -> None:
    """Wait until the server has looked several times for what is due."""
    time.sleep(2)
