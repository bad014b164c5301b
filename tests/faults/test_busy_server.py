"""Backups, verification and key rotation while patients send and prescribers review."""

from __future__ import annotations

import select
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.browsing import Prescriber
from tests.faults.serving import Clinic, NewDatabase, Server, served
from tests.faults.working import Work, at_work, seeded

pytestmark = pytest.mark.audit

SENT_AT_FIRST = 4
PROOFS = 1
ROTATIONS = 2
STORED = "SELECT reference, entries FROM screenings"


def test_a_backup_holds_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    """Test SQLite, which is copied page by page; pg_dump copies one moment by itself."""
    with served(tmp_path) as server:
        with busy(server) as work:
            sent, entries = acknowledged_before(server, work, "backup", str(tmp_path / "backup"))
            work.wait_until_sent(1)
        now_stored = dict(server.rows(STORED))
    copy = Clinic(instance=tmp_path / "copy", database_url="")
    copy.instance.mkdir(mode=0o700)
    shutil.copy2(server.instance / "data.key", copy.instance)
    copy.flask("restore", str(tmp_path / "backup"))
    copy.flask("init")
    copy.flask("verify")
    copied = dict(copy.rows(STORED))
    assert sent <= copied.keys() < now_stored.keys()
    assert all(
        entries[reference] <= copied[reference] <= now_stored[reference] for reference in sent
    )


def test_whoever_reads_while_others_write_finds_no_fault(
    tmp_path: Path, on_postgresql: NewDatabase
) -> None:
    """Test PostgreSQL, where a reader could see half of what is written meanwhile."""
    with served(tmp_path, on_postgresql()) as server, busy(server) as work:
        for _ in range(PROOFS):
            with server.command("verify") as proof:
                while proof.poll() is None:
                    newest = list(work.sent.values())[-1]  # prescribers add entries to it
                    assert newest.reaction in newest.open("/copy").text
                printed, _ = proof.communicate()
            assert proof.returncode == 0, printed
            work.check()


def test_nobody_is_refused_anything_while_old_keys_are_replaced_and_forgotten(
    tmp_path: Path, on_postgresql: NewDatabase
) -> None:
    """Test PostgreSQL, where several processes write at once."""
    with served(tmp_path, on_postgresql()) as server:
        with busy(server) as work:
            for _ in range(ROTATIONS):
                server.flask("rotate-key", "--forget")
                work.check()
        server.flask("verify")
        assert work.sent.keys() == dict(server.rows(STORED)).keys()


def acknowledged_before(
    server: Server, work: Work, *words: str
) -> tuple[set[str], Counter[object]]:
    """Run a command; return what was sent and added before its first report of progress."""
    with server.command(*words) as process:
        assert process.stdout is not None
        now = set(work.sent), work.entries()
        while not select.select([process.stdout], [], [], 0.005)[0]:
            before = now  # the state before the last look
            now = (set(work.sent), work.entries())
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return before


@contextmanager
def busy(server: Server) -> Iterator[Work]:
    """Run patients and prescribers in the background; some questionnaires are sent already.

    The server must log no fault.
    """
    prescribers = [Prescriber.added_to(server), Prescriber.signed_in(server)]
    with seeded() as chance:
        with at_work(server.url, patients=1, prescribers=prescribers, chance=chance) as work:
            work.wait_until_sent(SENT_AT_FIRST)
            yield work
        assert server.faults() == []
