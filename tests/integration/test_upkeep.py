"""Audit chain, retention, backup, restore, verify, key rotation, doctor."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select, text, update
from werkzeug.serving import make_server

from screening import background
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import rotate_key
from screening.settings import Settings
from screening.storage import screenings
from screening.storage.database import clock, write
from screening.storage.encryption import new_keys, write_keys
from screening.storage.tables import AuditRow, DraftRow, EntryRow, ScreeningRow, SearchRow
from tests.builders import all_no
from tests.days import pass_days, purge
from tests.integration.colleague import Colleague
from tests.integration.test_review import NEXT_YEAR, UNSURE, sent
from tests.integration.visitor import Visitor
from tests.storing import store

Start = Callable[[Settings], Flask]

pytestmark = pytest.mark.one_database


def flask(app: Flask, *words: str, code: int = 0) -> Result:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == code, result.output
    return result


def a_few(app: Flask, count: int, *, at: datetime | None = None) -> list[str]:
    """References of screenings that were sent then."""
    with app.app_context():
        installation = current_installation()
        book = installation.books["en"]
        stored = [
            store(
                db.session, installation.keys, book, all_no(), at=at, name=f"Person {n}", visit=""
            )
            for n in range(count)
        ]
    return [screening.reference for screening in stored]


def change(app: Flask, statement: str) -> None:
    with app.app_context(), write(db.session):
        db.session.execute(text(statement))


# ----------------------------------------------------------------------------------------
# audit


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET actor = 'dr' WHERE number = 2", "row 2 "),
        ("UPDATE audit SET at = '2020-01-01 00:00:00' WHERE number = 3", "row 3 "),
        ("UPDATE audit SET subject = 'AAAA-AAAA' WHERE number = 4", "row 4 "),
        ("DELETE FROM audit WHERE number = 3", "row 3 is missing"),
        ("DELETE FROM audit WHERE number IN (2, 3)", "rows 2 to 3 are missing"),
        (
            "DELETE FROM audit WHERE number = 5",
            "the chain ends at row 4, but row 5 was the last one written",
        ),
        (
            "UPDATE audit SET number = CASE number WHEN 2 THEN 100 ELSE number END",
            "row 2 is missing",
        ),
        (
            "INSERT INTO audit SELECT 6, at, actor, action, subject, detail, mac FROM audit "
            "WHERE number = 5",
            "row 6 ",
        ),
    ],
)
def test_a_changed_audit_row_is_found_and_named(app: Flask, statement: str, fault: str) -> None:
    a_few(app, 5)
    assert "The chain is whole: 5 rows" in flask(app, "audit", "verify").stdout
    change(app, statement)
    assert fault in flask(app, "audit", "verify", code=1).stderr
    assert fault in flask(app, "verify", code=1).stderr


@pytest.mark.both_databases
def test_two_exchanged_rows_are_both_named(app: Flask) -> None:
    a_few(app, 4)
    change(app, "UPDATE audit SET number = 100 WHERE number = 2")
    change(app, "UPDATE audit SET number = 2 WHERE number = 3")
    change(app, "UPDATE audit SET number = 3 WHERE number = 100")
    faults = flask(app, "audit", "verify", code=1).stderr
    assert "row 2 " in faults
    assert "row 3 " in faults


def test_rows_cut_off_together_with_an_old_end_are_found_by_a_noted_end(app: Flask) -> None:
    a_few(app, 3)
    with app.app_context():
        old = db.session.execute(text("SELECT sealed_head FROM audit_head")).scalar_one()
    a_few(app, 2)
    noted = flask(app, "audit", "head").stdout.strip()
    assert noted.startswith("5:")
    with app.app_context(), write(db.session):
        db.session.execute(text("DELETE FROM audit WHERE number > 3"))
        db.session.execute(text("UPDATE audit_head SET sealed_head = :old"), {"old": old})
    flask(app, "audit", "verify")
    assert (
        "does not contain the row that was noted: 5"
        in flask(app, "audit", "verify", "--head", noted, code=1).stderr
    )


# ----------------------------------------------------------------------------------------
# retention


def kept(app: Flask) -> set[str]:
    with app.app_context():
        return set(db.session.scalars(select(ScreeningRow.reference)))


@pytest.mark.both_databases
def test_screenings_go_after_their_time_counted_from_the_review(app: Flask) -> None:
    dr = Colleague(app)
    (read, unread) = a_few(app, 2, at=datetime.now(UTC) - timedelta(days=60))
    assert pass_days(app, 0, since=-60) == 0
    dr.decide(read, "proceed")
    assert pass_days(app, 29) == 0
    assert pass_days(app, 35) == 1
    assert kept(app) == {read}
    assert pass_days(app, 96) == 1
    with app.app_context():
        for table in (ScreeningRow, EntryRow, SearchRow):
            assert db.session.scalar(select(func.count()).select_from(table)) == 0
    log = flask(app, "audit", "export").stdout
    assert f"announced,{unread}" in log
    assert f"announced,{read}" not in log
    assert f"deleted,{read}" in log
    assert "1 screenings, 1 never opened" in log
    flask(app, "audit", "verify")


def test_a_deferred_screening_is_kept_until_after_its_day(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app)
    dr.decide(reference, "defer", until=NEXT_YEAR)
    assert pass_days(app, 200) == 0
    assert pass_days(app, 366 + 90) == 1
    assert kept(app) == set()


def test_a_dry_run_deletes_nothing(app: Flask) -> None:
    references = a_few(app, 3, at=datetime.now(UTC) - timedelta(days=91))
    assert pass_days(app, -1, since=-91) == 0
    said = flask(app, "purge", "--dry-run").stdout
    assert "3 screenings would be deleted, 3 never opened" in said
    assert all(reference in said for reference in references)
    assert kept(app) == set(references)
    assert "Deleted 3 screenings" in flask(app, "purge").stdout
    assert kept(app) == set()


@pytest.mark.both_databases
def test_the_server_purges_daily_by_itself(app: Flask) -> None:
    background.once(app)
    background.once(app)
    assert flask(app, "audit", "export").stdout.count(",purged,") == 1
    change(app, "UPDATE audit SET at = '2020-01-01 00:00:00' WHERE action = 'purged'")
    background.once(app)
    assert flask(app, "audit", "export").stdout.count(",purged,") == 2


def test_drafts_that_have_expired_go_within_a_minute(app: Flask) -> None:
    background.once(app)
    Visitor(app).begin()
    change(app, "UPDATE drafts SET expires_at = '2020-01-01 00:00:00'")
    background.once(app)
    with app.app_context():
        assert db.session.scalars(select(DraftRow)).all() == []


def test_whoever_reads_while_the_journal_is_emptied_stops_nobody_who_writes(
    sqlite_app: Flask, tmp_path: Path
) -> None:
    file = tmp_path / "instance" / "screening.db"
    with (
        closing(sqlite3.connect(file)) as reading,
        closing(sqlite3.connect(file, timeout=0.5)) as writing,
    ):
        a_few(sqlite_app, 1)
        pass_days(sqlite_app, 90)
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM audit").fetchone()
        with ThreadPoolExecutor(1) as thread:
            purging = thread.submit(purge, sqlite_app, datetime.now(UTC) + timedelta(days=92))
            wait_until(lambda: not kept(sqlite_app))
            for _ in range(5):  # each waits at most half a second for the purge
                writing.execute("UPDATE drafts SET expires_at = expires_at")
                writing.commit()
                time.sleep(0.05)
            assert not purging.done()
            reading.rollback()
            assert purging.result() == 1
    assert file.with_name("screening.db-wal").stat().st_size == 0


def wait_until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM screenings WHERE reference = '{0}'", "{0}: it was sent and is missing"),
        (
            "DELETE FROM search WHERE screening_id = "
            "(SELECT id FROM screenings WHERE reference = '{0}')",
            "searched by",
        ),
        ("UPDATE people SET role_names = 'prescriber admin'", "people desk: people.sealed_check"),
        (
            "UPDATE people SET password = (SELECT password FROM people WHERE sign_in_name = 'dr')",
            "people desk: people.sealed",
        ),
    ],
)
def test_what_somebody_without_keys_changed_is_found(
    app: Flask, statement: str, fault: str
) -> None:
    Colleague(app)
    desk = Colleague(app, "desk", "staff")
    reference = sent(app)
    change(app, statement.format(reference))
    assert fault.format(reference) in flask(app, "verify", code=1).stderr
    if "people" in statement:
        assert desk.get("/clinic/").status_code == 500  # nobody comes in by it


def test_an_older_state_that_was_put_back_is_found(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app)
    dr.get(f"/clinic/screenings/{reference}")
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        older = {
            name: getattr(row, name) for name in ("status", "entries", "changed_at", "sealed_state")
        }
    dr.decide(reference, "do_not_start", note="Severe risk")
    with app.app_context(), write(db.session):
        db.session.execute(text("DELETE FROM entries"))
        db.session.execute(update(ScreeningRow).values(older))
    assert "opened with 0 entries, but the audit log has" in flask(app, "verify", code=1).stderr


def test_a_failing_background_run_is_logged_without_a_word_of_it(
    sqlite_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    change(sqlite_app, "ALTER TABLE drafts RENAME TO elsewhere")
    background.once(sqlite_app)
    assert "background: OperationalError" in caplog.text


def test_of_what_was_purged_no_byte_is_left(sqlite_app: Flask, tmp_path: Path) -> None:
    dr = Colleague(sqlite_app)
    reference = sent(sqlite_app, UNSURE)
    dr.clarify(reference, "infection", infection="no")
    with sqlite_app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        entry = db.session.scalars(select(EntryRow)).one()
        cells = [
            row.sealed_patient,
            row.sealed_answers,
            row.sealed_state,
            entry.sealed_entry,
            row.draft_hash.encode(),
        ]
        cells += db.session.scalars(select(SearchRow.token))
        # The middle of each: a long cell is spread over pages with other bytes in between.
        parts = [cell[len(cell) // 2 : len(cell) // 2 + 16] for cell in cells]

    def files() -> bytes:
        return b"".join(file.read_bytes() for file in (tmp_path / "instance").glob("screening.db*"))

    before = files()
    assert all(part in before for part in parts)
    pass_days(sqlite_app, 95)
    after = files()
    assert not any(part in after for part in parts)


# ----------------------------------------------------------------------------------------
# backup, restore


@pytest.mark.both_databases
def test_a_backup_restored_elsewhere_is_all_there(app: Flask, start: Start, tmp_path: Path) -> None:
    dr = Colleague(app)
    reference = sent(app, UNSURE, name="Kept Safe")
    dr.clarify(reference, "infection", infection="no")
    flask(app, "backup", str(tmp_path / "copy"))
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert "exists already" in flask(app, "backup", str(tmp_path / "copy"), code=1).stderr

    installation = current_installation(app)
    elsewhere = Settings(
        instance=tmp_path / "elsewhere", database_url=empty_database(installation.settings)
    )
    other = start(elsewhere)
    assert (
        f"Put your copy to {elsewhere.instance}/data.key first"
        in flask(other, "restore", str(tmp_path / "copy"), code=1).stderr
    )
    elsewhere.instance.mkdir(mode=0o700)
    (elsewhere.instance / "data.key").write_bytes(installation.key_file.read_bytes())
    (elsewhere.instance / "data.key").chmod(0o600)
    assert "Restored 1 screenings" in flask(other, "restore", str(tmp_path / "copy")).stdout
    assert "is not empty" in flask(other, "restore", str(tmp_path / "copy"), code=1).stderr
    flask(other, "init")
    assert "All is as it was stored: 1 screenings" in flask(other, "verify").stdout
    assert "No finding" in flask(other, "summary", reference).stdout


def empty_database(settings: Settings) -> str:
    """The address of a database with nothing in it, of the same kind."""
    if not settings.database_url:
        return ""
    import psycopg

    server, _, name = settings.database_url.get_secret_value().rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_elsewhere")  # type: ignore[call-overload]
    return f"{server}/{name}_elsewhere"


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_backup_is_refused(
    sqlite_app: Flask, start: Start, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "copy").write_bytes(content)
    other = Settings(instance=tmp_path / "other")
    other.instance.mkdir(mode=0o700)
    write_keys(other.instance / "data.key", new_keys())
    assert (
        "is not a backup of this application"
        in flask(start(other), "restore", str(tmp_path / "copy"), code=1).stderr
    )


@pytest.mark.both_databases
def test_verify_names_the_screening_that_is_not_as_it_was_stored(app: Flask) -> None:
    first = sent(app, UNSURE)
    second = sent(app)
    assert "All is as it was stored: 2 screenings" in flask(app, "verify").stdout
    with app.app_context(), write(db.session):
        keys = current_installation().keys
        query = select(ScreeningRow)
        first_row = db.session.scalars(query.where(ScreeningRow.reference == first)).one()
        second_row = db.session.scalars(query.where(ScreeningRow.reference == second)).one()
        first_row.seal(keys, "sealed_state", second_row.unseal(keys, "sealed_state"))
    assert f"{first}: assessed again, it is" in flask(app, "verify", code=1).stderr
    change(app, f"UPDATE screenings SET language = 'es' WHERE reference = '{second}'")
    assert f"{second}: screenings.sealed_" in flask(app, "verify", code=1).stderr


def test_a_damaged_database_file_is_found(sqlite_app: Flask, tmp_path: Path) -> None:
    a_few(sqlite_app, 30)
    with sqlite_app.app_context():
        db.engine.dispose()
    file = tmp_path / "instance" / "screening.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'search'"
        ).fetchone()[0]
    content = bytearray(file.read_bytes())
    content[(page - 1) * 4096 + 8 : (page - 1) * 4096 + 200] = b"\xff" * 192
    file.write_bytes(content)
    result = sqlite_app.test_cli_runner().invoke(args=["verify"])
    assert result.exit_code == 1
    assert result.stderr.strip()


# ----------------------------------------------------------------------------------------
# key rotation


@pytest.mark.both_databases
def test_a_rotated_key_seals_everything_and_running_servers_go_on(app: Flask) -> None:
    dr = Colleague(app)
    reference = sent(app, UNSURE)
    dr.clarify(reference, "infection", infection="no")
    halfway = Visitor(app)
    halfway.begin()
    flask(app, "rotate-key")
    keys = current_installation(app).keys
    assert (keys.current, set(keys.data)) == ("k2", {"k1", "k2"})
    with app.app_context():
        assert rotate_key.left(db.session, keys) == 0
        for table in (DraftRow, ScreeningRow, EntryRow):
            assert db.session.scalar(select(func.count()).select_from(table)) == 1
    dr.get(f"/clinic/screenings/{reference}")
    assert "No findings from these answers" in dr.text
    halfway.get("/questions/pregnancy")
    assert halfway.page.status_code == 200
    flask(app, "verify")
    flask(app, "rotate-key", "--forget")
    assert set(current_installation(app).keys.data) == {"k2"}
    flask(app, "verify")
    assert dr.get(f"/clinic/screenings/{reference}").status_code == 200


def test_an_interrupted_rotation_goes_on_where_it_stopped(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_few(app, 7)
    keys = current_installation(app).keys
    monkeypatch.setattr(rotate_key, "PART", 2)
    real = rotate_key.seal_anew

    def interrupted(*given: object) -> object:
        for number, done in enumerate(real(*given)):  # type: ignore[arg-type]
            if number == 2:
                raise KeyboardInterrupt
            yield done

    with monkeypatch.context() as patched:
        patched.setattr("screening.cli.rotate_key.seal_anew", interrupted)
        assert app.test_cli_runner().invoke(args=["rotate-key"]).exit_code != 0
    with app.app_context():
        # 7 screenings, their jobs, the edition in force, the end of the log; two parts are done
        assert 0 < rotate_key.left(db.session, keys) <= 16 - 4
    flask(app, "verify")
    flask(app, "rotate-key")
    assert current_installation(app).keys.current == "k2"
    with app.app_context():
        assert rotate_key.left(db.session, keys) == 0
    flask(app, "verify")


# ----------------------------------------------------------------------------------------
# doctor


@pytest.mark.both_databases
def test_doctor_says_what_is_well_and_what_is_not(app: Flask, tmp_path: Path) -> None:
    said = flask(app, "doctor", code=1).stdout
    for line in (
        "ok     data.key",
        "ok     database",
        "FAULT  last backup: never",
        "FAULT  server: http://127.0.0.1:8000 does not answer: [Errno 111] Connection refused",
        "note   rule book",
        "FAULT  people",
    ):
        assert line in said, said
    Colleague(app)
    flask(app, "backup", str(tmp_path / "copy"))
    flask(app, "purge")
    said = flask(app, "doctor", code=1).stdout
    for line in (
        "ok     last backup",
        "ok     last purge",
        "ok     people: 1 may sign in, 1 of them without",
    ):
        assert line in said, said
    a_few(app, 2, at=datetime.now(UTC) - timedelta(days=3))
    assert (
        "FAULT  overlooked: 2 screenings were not opened in time"
        in flask(app, "doctor", code=1).stdout
    )
    current_installation(app).key_file.chmod(0o644)
    assert "FAULT  data.key" in flask(app, "doctor", code=1).stdout
    key = current_installation(app).key_file
    key.unlink()
    assert (
        f"FAULT  data.key: {key} is missing. If there are screenings"
        in flask(app, "doctor", code=1).stdout
    )


def test_doctor_finds_a_draft_rule_book_no_fault_where_the_server_answers(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app = make_app(public_url=f"http://127.0.0.1:{port}")
        Colleague(app)
        flask(app, "backup", str(tmp_path / "copy"))
        flask(app, "purge")
        server = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            said = flask(app, "doctor").stdout
        finally:
            server.shutdown()
            serving.join()
            server.server_close()
    assert "ok     server: it answers" in said
    assert "note   rule book: azathioprine" in said


def test_the_clock_of_the_database_is_that_of_its_machine(app: Flask) -> None:
    now = datetime.now(UTC)
    yesterday = now - timedelta(days=1)
    with app.app_context():
        time = clock(db.session, local=yesterday)
        is_elsewhere = db.engine.dialect.name == "postgresql"
    assert (abs(time - now) < timedelta(seconds=30)) if is_elsewhere else (time == yesterday)


def test_doctor_notices_a_clock_that_was_set_back(app: Flask) -> None:
    a_few(app, 1)
    with app.app_context(), write(db.session):
        db.session.execute(update(AuditRow).values(at=datetime.now(UTC) + timedelta(hours=1)))
    assert "FAULT  clock" in flask(app, "doctor", code=1).stdout


def test_a_screening_that_is_gone_is_not_found(app: Flask) -> None:
    with app.app_context():
        assert (
            screenings.find(
                db.session, current_installation().keys, ScreeningRow.reference == "0000-0000"
            )
            is None
        )
    assert "There is no screening 0000-0000" in flask(app, "summary", "0000-0000", code=1).stderr
