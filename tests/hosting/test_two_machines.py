"""Two application machines behind one nginx, with one PostgreSQL; one fails while patients send."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.browsing import TRUSTED, Prescriber
from tests.faults.serving import NewDatabase, Server, served
from tests.faults.test_killed_server import assert_shown, assert_stored
from tests.faults.working import SUBMIT, at_work, seeded
from tests.hosting.site import prepared, running

pytestmark = pytest.mark.audit

SHARED = ("data.key", "secret.key")
BEFORE = 2  # questionnaires sent with two machines, and with one
AFTER = 3


def test_one_machine_is_lost_under_load_and_the_other_goes_on(
    tmp_path: Path, on_postgresql: NewDatabase
) -> None:
    database = on_postgresql()
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        (folder / "instance").mkdir(parents=True, mode=0o700)
    with (
        seeded() as chance,
        prepared() as site,
        served(folders[0], database, behind=site.url) as lost,
    ):
        for name in SHARED:
            shutil.copy2(lost.instance / name, folders[1] / "instance")
        TRUSTED.load_verify_locations(site.certificate)
        with (
            served(folders[1], database, behind=site.url) as other,
            running(site, lost.address, other.address),
        ):
            prescribers = [Prescriber.added_to(lost), Prescriber.signed_in(other)]
            with at_work(site.url, patients=3, prescribers=prescribers, chance=chance) as work:
                work.wait_until_sent(BEFORE)
                answered = answered_by(site.logs)
                assert min(answered[lost.address], answered[other.address]) > 0
                work.wait_until_begun(SUBMIT)
                pull_the_plug(lost)
                work.wait_until_sent(AFTER)
            noticed = f" {lost.address} 502\n", f" {lost.address}, {other.address} 502, "
            assert any(words in site.logs for words in noticed)
            assert other.faults() == []
            assert_stored(other, work)
            assert_shown(prescribers[0], work)
            other.flask("verify")
            other.flask("audit", "verify")


def answered_by(logs: str) -> Counter[str]:
    """Return the number of requests that each machine has answered alone."""
    return Counter(words[-2] for line in logs.splitlines() if (words := line.split()))


def pull_the_plug(server: Server) -> None:
    """Kill all processes of a machine at once."""
    processes = server.processes()
    os.kill(server.master, signal.SIGSTOP)  # else it would start new workers
    for process in (*processes[1:], server.master):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
