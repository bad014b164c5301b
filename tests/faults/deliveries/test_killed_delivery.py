"""Workers on two machines are killed while they deliver: everything arrives, nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from screening.application import create_app
from screening.extensions import db
from screening.installation import current_installation
from screening.settings import Settings
from screening.storage import summaries
from screening.storage.database import write
from screening.storage.tables import ScreeningRow
from tests.browser.server import ended_afterwards
from tests.builders import all_no
from tests.faults.serving import Clinic, NewDatabase
from tests.faults.working import seeded
from tests.peers import PASSWORD, Certificate, FhirServer, MailServer
from tests.storing import store

pytestmark = pytest.mark.audit

SCREENINGS = 67
KILLS = 4
CHANNELS = ("mail", "archive", "records")
PATIENCE = 60  # seconds: for all deliveries, and for one delivery of a slow worker
STILL = 4


def test_each_summary_arrives_once_whoever_is_killed_meanwhile(
    tmp_path: Path, on_postgresql: NewDatabase
) -> None:
    certificate = Certificate.made(tmp_path, "ca")
    clinic = Clinic(instance=tmp_path / "instance", database_url=on_postgresql())
    clinic.flask("init")
    folder = tmp_path / "archive"
    folder.mkdir()
    with ExitStack() as stack:
        chance = stack.enter_context(seeded())
        mail = stack.enter_context(MailServer(certificate).running())
        records = stack.enter_context(FhirServer(certificate).running())
        declare(clinic, certificate, folder, mail, records)
        fill(clinic)
        workers = [stack.enter_context(worker(clinic)) for _ in range(2)]
        for _ in range(KILLS):
            some_more_is_done(clinic)
            time.sleep(chance.uniform(0, 0.2))
            killed = workers.pop(chance.randrange(2))
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            workers.append(stack.enter_context(worker(clinic)))
        wait_until_all_is_done(clinic)
        assert [process.poll() for process in workers] == [None, None]
    assert len(list(folder.iterdir())) == SCREENINGS, "and nothing that was left half"
    assert records.faults == []
    assert [len(records.of(kind)) for kind in ("QuestionnaireResponse", "DocumentReference")] == [
        SCREENINGS
    ] * 2
    sent = [message["Message-ID"] for message in mail.mails]
    assert len(set(sent)) == SCREENINGS
    assert len(sent) <= SCREENINGS + KILLS, "each killed worker repeats at most one mail"
    assert not clinic.rows("SELECT id FROM outbox")


def declare(
    clinic: Clinic, certificate: Certificate, folder: Path, mail: MailServer, records: FhirServer
) -> None:
    trusted = {"ca_file": str(certificate.file)}
    to_mail = {
        "host": "127.0.0.1",
        "port": mail.port,
        "sender": "a@clinic.example",
        "to": "dr@clinic.example",
    }
    tables = {
        "mail": {
            "kind": "email",
            **to_mail,
            "user": "screening",
            "password_file": "token",
            **trusted,
        },
        "archive": {"kind": "folder", "folder": str(folder)},
        "records": {
            "kind": "fhir_server",
            "address": records.address,
            "token_file": "token",
            **trusted,
        },
    }
    lines = [
        line
        for name, table in tables.items()
        for line in (
            f"[deliver.{name}]",
            *(f"{key} = {json.dumps(value)}" for key, value in table.items()),
        )
    ]
    (clinic.instance / "settings.toml").write_text("\n".join(lines))
    (clinic.instance / "token").write_text(PASSWORD)
    (clinic.instance / "token").chmod(0o600)


def fill(clinic: Clinic) -> None:
    """Store printed screenings, each to be delivered to every channel."""
    app = create_app(Settings(instance=clinic.instance, database_url=clinic.database_url))
    with app.app_context():
        keys = current_installation().keys
        for number in range(SCREENINGS):
            jobs = [f"to {name}" for name in CHANNELS]
            store(
                db.session,
                keys,
                current_installation().books["en"],
                all_no(),
                name=f"Person {number}",
                jobs=jobs,
            )
        with write(db.session):
            for number, row in enumerate(db.session.scalars(select(ScreeningRow)).all()):
                pdf = b"%%PDF-1.7 number %d" % number
                summaries.add(
                    db.session,
                    keys,
                    screening_id=row.id,
                    number=0,
                    code=f"{number}",
                    pdf=pdf,
                    unsigned=pdf,
                    now=row.submitted_at,
                )
        db.engine.dispose()


@contextmanager
def worker(clinic: Clinic) -> Iterator[subprocess.Popen[str]]:
    process = clinic.command("outbox", "run")
    with process, ended_afterwards(process):  # ends it, then closes its pipe
        yield process


def left(clinic: Clinic) -> int:
    return len(clinic.rows("SELECT id FROM outbox"))


def some_more_is_done(clinic: Clinic) -> None:
    before = left(clinic)
    end = time.monotonic() + PATIENCE
    while left(clinic) > before - 6:
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_until_all_is_done(clinic: Clinic) -> None:
    end = time.monotonic() + PATIENCE
    before = -1
    since = time.monotonic()
    while count := left(clinic):
        assert time.monotonic() < end, clinic.rows(
            "SELECT kind, attempts, failed, fault FROM outbox"
        )
        if count != before:
            before = count
            since = time.monotonic()
        elif time.monotonic() - since > STILL:
            # Only jobs of killed workers are left: let their leases expire.
            clinic.change("UPDATE outbox SET due_at = '2000-01-01 00:00:00+00:00'")
            since = time.monotonic()
        time.sleep(0.1)
