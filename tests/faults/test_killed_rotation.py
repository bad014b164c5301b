"""A killed rotation of the data key can be run again, and writers lose nothing meanwhile."""

from __future__ import annotations

import random
import select
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.faults.browsing import Patient, Prescriber
from tests.faults.serving import Clinic, NewDatabase, Server, served
from tests.faults.working import CLARIFY, Work, seeded

pytestmark = pytest.mark.audit

KILLS = 2
SCREENINGS = 8  # more rows than are sealed anew in one transaction
DRAFTS = 130
LONGEST = 0.1  # seconds, about as long as the work takes once the new key is written
PATIENCE = 20
TRIES = 5
SEALED = {
    "screenings": ("sealed_patient", "sealed_answers", "sealed_state"),
    "entries": ("sealed_entry",),
    "drafts": ("sealed_draft",),
    "audit_head": ("sealed_head",),
    "key_checks": ("sealed_check",),
    "people": ("sealed_check",),
}
WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def test_a_rotation_that_is_killed_again_and_again_finishes_in_the_end(tmp_path: Path) -> None:
    with seeded() as chance, served(tmp_path) as server:
        prescriber = Prescriber.added_to(server)
        work = Work(server.url, chance)
        fill(work)
        reference, patient = next(iter(work.sent.items()))
        work.add(prescriber, reference, CLARIFY)
        halfway = Patient(server.url, "halfway")
        halfway.fill_in()
        killed = 0
        for tried in count(1):
            killed += rotate_and_kill(server, chance)
            assert patient.reaction in prescriber.screening(reference).text
            assert halfway.reaction in halfway.open("/check").text
            if killed == KILLS:
                break
            assert tried < 4 * KILLS, f"only {killed} of {tried} rotations could be killed"
        server.flask("rotate-key", "--forget")
        assert len(keys_used(server)) == 1
        assert patient.reaction in prescriber.screening(reference).text
        halfway.send()
        server.flask("verify")


def test_what_is_sent_while_old_keys_are_forgotten_can_still_be_read(
    tmp_path: Path, on_postgresql: NewDatabase
) -> None:
    database = on_postgresql()
    with served(tmp_path, database) as server, ThreadPoolExecutor(1) as thread:
        patient = Patient(server.url, "patient")
        patient.fill_in()
        with psycopg.connect(database) as holding:
            holding.execute("SELECT FROM drafts FOR UPDATE")
            sending = thread.submit(patient.press_send)
            wait_until_so_many_wait(database, 1)
            with server.command("rotate-key", "--forget") as rotation:
                wait_until_so_many_wait(database, 2, rotation)
                holding.rollback()  # lets the patient write first, then the rotation
                printed, _ = rotation.communicate()
        assert rotation.returncode == 0, printed
        sending.result().leading_to("/done")
        assert patient.reaction in patient.open("/copy").text
        server.flask("verify")


def test_a_rotation_that_is_killed_when_it_forgets_the_old_key_can_be_run_again(
    tmp_path: Path,
) -> None:
    clinic = Clinic(instance=tmp_path / "instance", database_url="")
    clinic.flask("init")
    kill_when_the_old_key_is_gone(clinic)
    clinic.flask("rotate-key", "--forget")
    clinic.flask("verify")


def test_a_rotation_that_is_killed_while_it_writes_the_key_leaves_no_copy_behind(
    tmp_path: Path,
) -> None:
    clinic = Clinic(instance=tmp_path / "instance", database_url="")
    clinic.flask("init")
    for _ in range(TRIES):
        kill_while_the_key_is_written(clinic)
        if len(key_files(clinic)) > 1:
            break
    clinic.flask("rotate-key", "--forget")
    assert key_files(clinic) == ["data.key"]


def fill(work: Work) -> None:
    """Let patients send SCREENINGS questionnaires and begin DRAFTS."""

    def send(number: int) -> None:
        patient = Patient(work.url, f"{number:04d}")
        patient.fill_in()
        work.send(patient)

    with ThreadPoolExecutor(4) as patients:
        list(patients.map(send, range(SCREENINGS)))
        list(patients.map(lambda number: Patient(work.url, f"{number:04d}").begin(), range(DRAFTS)))


def rotate_and_kill(server: Server, chance: random.Random) -> bool:
    """Kill a rotation at a random moment after its first write; return False if it ended before."""
    with server.command("rotate-key", *chance.choice(((), ("--forget",)))) as process:
        wait_until_it_writes(process, server.instance / "data.key")
        time.sleep(chance.uniform(0, LONGEST))
        process.kill()
        printed, _ = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), printed
    return process.returncode != 0


def kill_while_the_key_is_written(clinic: Clinic) -> None:
    """Kill a rotation as soon as there is another file beside those of the installation."""
    before = len(list(clinic.instance.glob("[!s]*")))
    with clinic.command("rotate-key") as process:
        while process.poll() is None and len(list(clinic.instance.glob("[!s]*"))) == before:
            continue
        process.kill()


def kill_when_the_old_key_is_gone(clinic: Clinic) -> None:
    """Kill a rotation as soon as data.key does not hold the key that was there before."""
    key_file = clinic.instance / "data.key"
    old = key_file.read_text().splitlines()[-1]
    with clinic.command("rotate-key", "--forget") as process:
        while process.poll() is None and old in key_file.read_text():
            continue
        process.kill()


def key_files(clinic: Clinic) -> list[str]:
    """Return the files that hold data keys."""
    return sorted(
        file.name for file in clinic.instance.iterdir() if b"\n[data]\n" in file.read_bytes()
    )


def wait_until_it_writes(process: subprocess.Popen[str], key_file: Path) -> None:
    """Wait until the new key is written, or until a continued rotation reports progress."""
    assert process.stdout is not None
    before = key_file.stat().st_mtime_ns
    while (
        key_file.stat().st_mtime_ns == before
        and not select.select([process.stdout], [], [], 0.001)[0]
    ):
        continue


def wait_until_so_many_wait(
    database: str, number: int, process: subprocess.Popen[str] | None = None
) -> None:
    """Wait until `number` connections wait for a lock in PostgreSQL, or the process has ended."""
    end = time.monotonic() + PATIENCE
    with psycopg.connect(database, autocommit=True) as watching:
        while watching.execute(WAITING).fetchone() != (number,) and (
            process is None or process.poll() is None
        ):
            assert time.monotonic() < end, f"{number} should be waiting for a lock"


def keys_used(clinic: Clinic) -> set[object]:
    """Return the ids of the keys that stored values are sealed with."""
    cells = (
        f"SELECT substr({column}, 1, 3) FROM {table}"
        for table, columns in SEALED.items()
        for column in columns
    )
    return {key for (key,) in clinic.rows(" UNION ".join(cells))}
