"""Workers and renderers are killed while they print: each summary is printed once in the end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from screening.application import create_app
from screening.extensions import db
from screening.installation import current_installation
from screening.settings import Settings
from tests.builders import all_no
from tests.faults.serving import Server, children, served
from tests.faults.working import seeded
from tests.storing import store

pytestmark = pytest.mark.audit

SCREENINGS = 14
KILLS = 4
PATIENCE = 60  # seconds
DUE = "UPDATE outbox SET due_at = '2000-01-01 00:00:00+00:00'"


def test_each_summary_is_printed_once_whoever_is_killed_meanwhile(tmp_path: Path) -> None:
    """Test SQLite.

    integration/test_outbox.py tests on PostgreSQL too that two workers never take the same job.
    """
    with seeded() as chance, served(tmp_path, prints=True) as server:
        fill(server)
        killed = 0
        while killed < KILLS and somebody_prints(server):
            time.sleep(chance.uniform(0, 0.3))
            workers = server.workers()
            renderers = [child for worker in workers for child in children(worker)]
            renderers += filter(None, [server.renderer()])
            with suppress(ProcessLookupError):
                os.kill(
                    chance.choice(workers if killed % 2 or not renderers else renderers),
                    signal.SIGKILL,
                )
            killed += 1
            forget_leases(server)
        assert killed > 1
        wait_until_all_is_printed(server)
        printed = server.rows("SELECT screening_id, number FROM summaries")
        assert len(printed) == len(set(printed)) == SCREENINGS
        server.flask("verify")


def fill(server: Server) -> None:
    """Store SCREENINGS questionnaires from another process than those that serve."""
    app = create_app(
        Settings(instance=server.instance, database_url=server.database_url, public_url=server.url)
    )
    with app.app_context():
        installation = current_installation()
        for number in range(SCREENINGS):
            store(
                db.session,
                installation.keys,
                installation.books["en"],
                all_no(),
                name=f"Person {number}",
            )
        db.engine.dispose()


def somebody_prints(server: Server) -> bool:
    """Wait until a job is taken; return False when all is printed."""
    for _ in range(100 * PATIENCE):
        if not server.rows("SELECT id FROM outbox"):
            return False
        if server.rows("SELECT id FROM outbox WHERE lease <> ''"):
            return True
        time.sleep(0.01)
    raise AssertionError("nobody printed anything")


def wait_until_all_is_printed(server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while server.rows("SELECT id FROM outbox"):
        assert time.monotonic() < end, server.rows("SELECT attempts, failed, fault FROM outbox")
        server.change(f"{DUE} WHERE lease = ''")  # failed jobs are retried at once
        time.sleep(0.2)


def forget_leases(server: Server) -> None:
    """Let the leases of killed workers expire; call it once for each kill.

    A worker that still prints then finds that another one has the job. More calls would take its
    job again and again.
    """
    server.change(DUE)
