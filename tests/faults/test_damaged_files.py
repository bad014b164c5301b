"""A damaged database is harmless or reported: nobody is shown other data than were stored."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest

from screening.application import create_app
from screening.extensions import db
from screening.installation import current_installation
from screening.operating.readiness import check_ready
from screening.settings import Settings
from screening.storage.database import DatabaseNotReady
from tests.browser.server import ROOT
from tests.faults.browsing import Patient
from tests.faults.failing_disk import FLUSH, READ, WRITE
from tests.faults.serving import Clinic, served
from tests.faults.working import seeded
from tests.integration.colleague import Colleague
from tests.integration.test_review import sent
from tests.integration.visitor import Visitor

SCREENINGS = 8
FLIPS = 200
FEW = 10
CUTS = 30
UNREADABLE = 4
PAGE = 4096
WORKERS = 2
# Columns that only say when something is done next, or count failed attempts.
PLANS = {
    "outbox": {"added_at", "due_at", "attempts", "lease", "failed", "fault"},
    "attempts": {"id", "key", "at"},
    "drafts": {"expires_at"},
    "screenings": {"announced_at", "acknowledged_at"},
    "people": {"tf_last_counter"},
}
Rows = dict[str, list[str]]


class Stored:
    """An installation whose database is replaced by damaged copies."""

    def __init__(self, folder: Path) -> None:
        self.clinic = Clinic(instance=folder / "instance", database_url="")
        self.clinic.flask("init")
        self.app = create_app(Settings(instance=self.clinic.instance))
        references = [sent(self.app) for _ in range(SCREENINGS)]
        colleague = Colleague(self.app)
        colleague.clarify(references[0], "infection", infection="no")
        colleague.decide(references[0], "do_not_start")
        Visitor(self.app).fill_in()
        with self.app.app_context():
            current_installation().printer.pdf(references[0])
        self.file = self.clinic.instance / "screening.db"
        self.journal = self.clinic.instance / "screening.db-wal"
        self.close()  # all is in the file now
        sent(self.app)  # and this in the journal
        self.good = self.file.read_bytes()
        self.good_journal = self.journal.read_bytes()
        self.rows = rows(self.file)

    def close(self) -> None:
        with self.app.app_context():
            db.engine.dispose()

    def unnoticed(self, file: bytes, journal: bytes) -> str:
        """Return what differs with these files and is not reported, or ""."""
        self.close()
        self.file.with_name("screening.db-shm").unlink(missing_ok=True)
        self.file.write_bytes(file)
        self.journal.write_bytes(journal)
        result = self.app.test_cli_runner().invoke(args=["verify"])
        self.close()
        if result.exit_code == 1 and result.output.strip():
            return ""
        assert result.exit_code == 0, result.output
        now = rows(self.file)
        return "; ".join(
            f"{table}: {before} became {now.get(table)}"[:400]
            for table, before in self.rows.items()
            if now.get(table) != before
        )


def rows(file: Path) -> Rows:
    """Return every row of every table, without PLANS."""
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = lambda text: text.decode(errors="backslashreplace")
        connection.row_factory = lambda cursor, row: {
            column.lower(): value  # SQLite takes a flipped case of a column for the same
            for (column, *_), value in zip(cursor.description, row, strict=True)
        }
        tables = [row["name"] for row in connection.execute(names)]
        read = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    return {
        table: sorted(
            repr({name: row[name] for name in row if name not in PLANS.get(table, ())})
            for row in found
        )
        for table, found in read.items()
    }


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(tmp_path_factory.mktemp("damaged"))


def test_without_damage_nothing_differs(stored: Stored) -> None:
    assert stored.good_journal
    assert stored.unnoticed(stored.good, stored.good_journal) == ""
    assert "All is as it was stored" in stored.clinic.flask("verify")


@pytest.mark.parametrize("flips", [FEW, pytest.param(FLIPS, marks=pytest.mark.audit)])
def test_a_flipped_bit_is_harmless_or_reported(stored: Stored, flips: int) -> None:
    content = stored.good + stored.good_journal
    with seeded() as chance:
        unnoticed = {}
        for _ in range(flips):
            place = chance.randrange(8 * len(content))
            damaged = bytearray(content)
            damaged[place // 8] ^= 1 << place % 8
            parts = bytes(damaged[: len(stored.good)]), bytes(damaged[len(stored.good) :])
            if differing := stored.unnoticed(*parts):
                unnoticed[place] = differing
        assert unnoticed == {}


@pytest.mark.audit
def test_a_file_that_is_cut_off_is_reported(stored: Stored) -> None:
    with seeded() as chance:
        for _ in range(CUTS):
            length = chance.choice(
                (chance.randrange(len(stored.good)), PAGE * chance.randrange(100))
            )
            assert stored.unnoticed(stored.good[:length], stored.good_journal) == ""
            assert stored.unnoticed(stored.good[:length], b"") == ""
            length = chance.randrange(len(stored.good_journal))
            assert stored.unnoticed(stored.good, stored.good_journal[:length]) == ""


def test_a_journal_that_is_gone_is_reported(stored: Stored) -> None:
    stored.unnoticed(stored.good, b"")
    result = stored.app.test_cli_runner().invoke(args=["verify"])
    assert result.exit_code == 1
    assert "what was sent and recorded last is lost" in result.output


@pytest.mark.audit
def test_what_a_killed_server_had_in_its_journal_is_missed_at_start_and_by_verify(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as server:
        patient = Patient(server.url, "patient")
        patient.fill_in()
        patient.send()
        for process in server.processes():
            os.kill(process, signal.SIGKILL)
    for suffix in ("wal", "shm"):
        (server.instance / f"screening.db-{suffix}").unlink()
    with served(tmp_path) as again:
        assert "what was sent and recorded last is lost" in again.printed
    with again.command("verify") as verify:
        assert "what was sent and recorded last is lost" in verify.communicate()[0]
    assert verify.returncode == 1


def test_a_server_on_a_damaged_file_says_so_and_does_not_start(stored: Stored) -> None:
    stored.unnoticed(stored.good[:PAGE] + b"\xa5" * (len(stored.good) - PAGE), b"")
    with pytest.raises(DatabaseNotReady, match="cannot be used: database disk image is malformed"):
        check_ready(stored.app)


@pytest.mark.audit
def test_a_page_that_cannot_be_read_is_reported(stored: Stored) -> None:
    stored.unnoticed(stored.good, stored.good_journal)
    pages = len(stored.good) // PAGE
    with seeded() as chance:
        for page in chance.sample(range(pages), UNREADABLE):
            command = ("-m", "tests.faults.failing_disk", str(page * PAGE), "verify")
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env=stored.clinic.environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1, page
            assert re.search("disk I/O error|malformed|not a database", done.stderr), done.stderr


@pytest.mark.audit
@pytest.mark.parametrize("calls", [READ, WRITE, FLUSH], ids="+".join)
def test_a_failing_disk_acknowledges_nothing_and_loses_nothing(
    tmp_path: Path, calls: tuple[str, ...]
) -> None:
    with served(tmp_path, wsgi="tests.faults.faulty_wsgi:app") as server:
        patients = [Patient(server.url, f"patient {number}") for number in range(3)]
        for patient in patients:
            patient.fill_in()
        references = [patients[0].send()]
        broken = set[str]()
        while len(broken) < WORKERS:
            page = patients[0].get(f"/failing/{'+'.join(calls)}")
            broken |= {page.html} if page.status == HTTPStatus.OK else set()
        statuses = [patients[number % 2 + 1].press_send().status for number in range(2 * WORKERS)]
        assert HTTPStatus.INTERNAL_SERVER_ERROR in statuses
        # What SQLite still has in memory can be enough to read; to write it never is.
        assert calls == READ or set(statuses) == {HTTPStatus.INTERNAL_SERVER_ERROR}
        for process in broken:
            server.kill(int(process))
        acknowledged = HTTPStatus.FOUND in statuses or HTTPStatus.SEE_OTHER in statuses
        count = len(server.rows("SELECT reference FROM screenings"))
        assert count > 1 if acknowledged else count == 1
        references += [patient.send() for patient in patients[1:]]
        assert patients[0].reference() == references[0]
        stored = server.rows("SELECT reference FROM screenings")
        assert sorted(stored) == sorted((reference,) for reference in references)
        server.flask("verify")
