"""What is kept, and that it cannot be read, swapped or lost unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from flask import Flask, after_this_request
from pydantic import SecretStr
from sqlalchemy import select, text

from screening import background
from screening.extensions import alembic, db
from screening.features.tablet import service as tablet
from screening.installation import current_installation
from screening.operating.readiness import check_ready
from screening.settings import Settings
from screening.storage import audit, screenings, search
from screening.storage.audit import Actor
from screening.storage.database import DatabaseNotReady, write
from screening.storage.encryption import new_keys, write_keys
from screening.storage.private_files import KeyFault
from screening.storage.tables import EditionRow, ScreeningRow
from tests.integration.colleague import Colleague
from tests.integration.test_passkeys import make as make_passkey
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import Visitor

Start = Callable[[Settings], Flask]
MARKER = "Zyxwvutina"


def test_a_copied_database_shows_no_patient_data(
    app: Flask, visitor: Visitor, tmp_path: Path
) -> None:
    reaction = {
        "hypersensitivity": {
            "hypersensitivity": "yes",
            "hypersensitivity_reaction": f"{MARKER} welts",
        }
    }
    visitor.fill_in(reaction, name=f"{MARKER} Patient", visit=f"{MARKER}-1")
    halfway = Visitor(app)
    halfway.begin(name=f"{MARKER} Halfway")
    visitor.send()
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            kept = b"".join(
                file.read_bytes() for file in (tmp_path / "instance").glob("screening.db*")
            )
        else:
            tables = ("drafts", "screenings", "editions", "key_checks")
            kept = b"".join(
                bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                for table in tables
                for row in db.session.execute(text(f"SELECT * FROM {table}"))
                for value in row
            )
    assert len(kept) > 1000
    for secret in (MARKER.encode(), b"1988-03-12", b"welts", b'hypersensitivity_reaction":"yes'):
        assert secret not in kept


@pytest.mark.parametrize("when", ["in the view", "after the view"])
def test_logs_name_nobody(
    sqlite_app: Flask,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in(
        {"vaccines": {"vaccines": "yes", "vaccines_which": MARKER}}, name=MARKER, visit=MARKER
    )
    visitor.send()

    def fail(_response: object = None) -> NoReturn:
        raise RuntimeError(MARKER)

    def fail_later() -> str:
        after_this_request(fail)
        return ""

    view = fail if when == "in the view" else fail_later
    monkeypatch.setitem(sqlite_app.view_functions, "papers.copy", view)
    page = visitor.get("/copy")
    assert page.status_code == 500
    out, err = capfd.readouterr()
    assert "incident" in caplog.text
    for place in (caplog.text, out, err, page.text):
        assert MARKER not in place
    assert "/copy" not in caplog.text + out + err


def test_sealed_cells_cannot_be_swapped_between_rows(app: Flask) -> None:
    references = []
    for number in range(2):
        visitor = Visitor(app)
        visitor.fill_in(visit=str(number))
        references.append(visitor.send())
    with app.app_context():
        first, second = db.session.scalars(
            select(ScreeningRow).order_by(ScreeningRow.submitted_at)
        ).all()
        first.sealed_answers, second.sealed_answers = second.sealed_answers, first.sealed_answers
        db.session.commit()
        with pytest.raises(KeyFault, match=r"screenings.sealed_answers cannot be opened"):
            screenings.find(
                db.session, current_installation().keys, ScreeningRow.reference == references[0]
            )


FINDS = (
    "josé ñandú",
    "JOSE",
    "Nandu,  jose",
    "1988-03-12",
    "12.3.1988",
    "3/12/1988",
    "nandu 12-03-1988",
    "v 1042",
    "V-1042",
)
FINDS_NOTHING = ("jos", "ñandúes", "josé else", "1988", "1988-12-13", "", "  ", "v-104", "%", "*")


def test_a_screening_is_found_however_it_is_asked_for_and_not_by_parts_of_words(
    app: Flask, visitor: Visitor
) -> None:
    visitor.fill_in(name="José  ÑANDÚ", visit="V-1042")
    reference = visitor.send()
    other = Visitor(app)
    other.fill_in(name="Somebody Else", visit="V-1043", birth_year="1990")
    other.send()
    with app.app_context():
        for typed in (*FINDS, reference.lower().replace("-", "")):
            assert search.find(db.session, current_installation().keys, typed) == [reference], typed
        for typed in FINDS_NOTHING:
            assert search.find(db.session, current_installation().keys, typed) == [], typed


def test_the_edition_is_kept_with_the_screening_and_a_changed_one_is_noticed(
    app: Flask, visitor: Visitor
) -> None:
    visitor.fill_in({"infection": {"infection": "yes"}})
    reference = visitor.send()
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        edition = db.session.get_one(EditionRow, row.edition_digest)
        assert edition.content == current_installation().books["en"].edition.content
        edition.content = edition.content.replace(
            '"severity":"contraindication"', '"severity":"caution"'
        )
        db.session.commit()
    result = app.test_cli_runner().invoke(args=["summary", reference])
    assert result.exit_code == 1
    assert "was changed; restore the database" in result.stderr


@pytest.mark.parametrize(
    ("column", "value"), [("reference", "0000-0000"), ("draft_hash", "0" * 64), ("language", "es")]
)
def test_the_plain_part_of_a_row_cannot_be_exchanged(
    app: Flask, visitor: Visitor, column: str, value: str
) -> None:
    visitor.fill_in()
    visitor.send()
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        setattr(row, column, value)
        db.session.commit()
        with pytest.raises(KeyFault, match="cannot be opened"):
            screenings.find(
                db.session, current_installation().keys, ScreeningRow.reference == row.reference
            )


def test_a_lost_data_key_stops_the_start_and_is_never_replaced(app: Flask, start: Start) -> None:
    with app.app_context():
        current_installation().key_file.unlink()
    again = start(current_installation(app).settings)
    with pytest.raises(KeyFault, match=r"data\.key is missing.*restore it from your copy"):
        check_ready(again)
    result = again.test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 1
    assert "Restore the file from your copy" in result.output
    assert not current_installation(app).key_file.exists()


def test_a_wrong_data_key_stops_the_start(app: Flask, start: Start) -> None:
    current_installation(app).key_file.unlink()
    write_keys(current_installation(app).key_file, new_keys())
    again = start(current_installation(app).settings)
    with pytest.raises(KeyFault, match=r"/instance/data\.key is not the one it was sealed with"):
        check_ready(again)


@pytest.mark.parametrize("name", ["data.key", "secret.key"])
def test_a_key_that_others_can_read_stops_the_start(
    sqlite_app: Flask, name: str, start: Start
) -> None:
    file = current_installation(sqlite_app).settings.instance / name
    file.chmod(0o644)
    with pytest.raises(KeyFault, match=f"chmod 600 .*{name}"):
        check_ready(start(current_installation(sqlite_app).settings))


@pytest.mark.parametrize(
    "content", ["", "current = 1", 'current="k1"\nindex="AA=="\n[data]\nk1="AA=="', "\x00"]
)
def test_a_damaged_key_file_says_so(sqlite_app: Flask, content: str, start: Start) -> None:
    current_installation(sqlite_app).key_file.write_text(content)
    with pytest.raises(KeyFault, match=r"is damaged .*; restore it from your copy"):
        check_ready(start(current_installation(sqlite_app).settings))


def test_a_changed_index_key_stops_the_start(sqlite_app: Flask, start: Start) -> None:
    file = current_installation(sqlite_app).key_file
    lines = [
        line if not line.startswith("index") else f'index = "{"A" * 43}="'
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines))
    with pytest.raises(KeyFault, match=f"index key in {file} is not"):
        check_ready(start(current_installation(sqlite_app).settings))


def test_an_empty_secret_key_stops_the_start(sqlite_app: Flask, start: Start) -> None:
    current_installation(sqlite_app).secret_file.write_text("")
    with pytest.raises(KeyFault, match=r"secret\.key is too short; remove it and run `flask init`"):
        check_ready(start(current_installation(sqlite_app).settings))


def test_a_database_that_cannot_be_reached_says_so(start: Start, sqlite_app: Flask) -> None:
    url = SecretStr("postgresql://nobody@127.0.0.1:9/nothing")
    away = current_installation(sqlite_app).settings.model_copy(update={"database_url": url})
    with pytest.raises(
        DatabaseNotReady, match=r"The database at postgresql.*127\.0\.0\.1:9.* cannot be used"
    ):
        check_ready(start(away))


def test_the_instance_is_private(sqlite_app: Flask, tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    assert instance.stat().st_mode & 0o777 == 0o700
    Visitor(sqlite_app).begin()
    files = list(instance.iterdir())
    assert {file.name for file in files} >= {
        "data.key",
        "secret.key",
        "settings.toml",
        "screening.db",
        "screening.db-wal",
    }
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_sqlite_is_durable(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        values = {
            name: db.session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_database_that_was_never_prepared_says_what_to_run(tmp_path: Path, start: Start) -> None:
    app = start(Settings(instance=tmp_path / "empty"))
    with pytest.raises(KeyFault, match="run `flask init`"):
        check_ready(app)


def test_a_database_without_tables_says_what_to_run(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app()
    with app.app_context():
        db.engine.dispose()
    for file in (tmp_path / "instance").glob("screening.db*"):
        file.unlink()
    with pytest.raises(DatabaseNotReady, match="run `flask init`"):
        check_ready(app)


def test_a_writer_waits_for_another(sqlite_app: Flask, tmp_path: Path) -> None:
    """A second writer waits until the first has finished; no error says the database is locked."""
    import threading

    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    other = sqlite3.connect(
        tmp_path / "instance" / "screening.db", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.5, other.rollback)
    release.start()
    assert visitor.send()
    release.join()
    other.close()


def test_migrations_match_the_tables(app: Flask) -> None:
    with app.app_context():
        assert not alembic.needs_upgrade()
        assert alembic.compare_metadata() == []


def test_migrations_can_be_undone_and_done_again(app: Flask) -> None:
    with app.app_context():
        alembic.downgrade("base")
    with app.app_context():
        alembic.upgrade()
    assert app.test_cli_runner().invoke(args=["init"]).exit_code == 0


# -------------------------------------------------------------------------------- what is missing
# as a whole is noticed


@pytest.mark.both_databases
def test_commits_that_were_lost_are_found_by_the_end_noted_outside(
    app: Flask, start: Start
) -> None:
    sent(app)
    with app.app_context():
        older = {"audit": "number > 1", "search": "true", "outbox": "true", "screenings": "true"}
        head = db.session.execute(text("SELECT sealed_head FROM audit_head")).scalar_one()
    sent(app)
    flask(app, "verify")
    with app.app_context(), write(db.session):  # as if the newest commits had never been
        for table, rows in older.items():
            db.session.execute(text(f"DELETE FROM {table} WHERE {rows}"))
        db.session.execute(text("UPDATE audit_head SET sealed_head = :head"), {"head": head})
    for words in (("verify",), ("doctor",)):
        result = flask(app, *words, code=1)
        assert "the audit log ends at row 1" in result.stdout + result.stderr
        assert "tells of row 2, which is not in it" in result.stdout + result.stderr
    for _ in range(3):  # going on hides nothing
        sent(app)
    assert "tells of row 2, which is not in it" in flask(app, "verify", code=1).stderr
    (noted,) = current_installation(app).settings.instance.glob("audit-*.head")
    noted.unlink()  # what the message says
    sent(app)
    assert noted.read_text().startswith("5:")
    assert "tells of row" not in app.test_cli_runner().invoke(args=["verify"]).stderr


@pytest.mark.both_databases
def test_what_others_write_meanwhile_is_not_missing(app: Flask) -> None:
    sent(app)
    with app.app_context(), db.sessionmaker() as early:
        assert audit.size(early) == 1  # its look at the database
        sent(app)
        assert audit.lost(early, current_installation().keys, "") == ""


def test_an_end_that_cannot_be_noted_loses_no_answer(app: Flask) -> None:
    sent(app)
    (noted,) = current_installation(app).settings.instance.glob("audit-*.head")
    noted.unlink()
    noted.mkdir()
    sent(app)
    assert "audit-" in (said := flask(app, "verify", code=1).stderr)
    assert "cannot be read: Is a directory" in said
    noted.rmdir()
    noted.write_bytes(b"nonsense \xff " * 20)
    reference = sent(app)
    assert noted.read_text().startswith("3:")
    assert reference in flask(app, "summary", reference).stdout
    flask(app, "verify")


def test_what_is_due_is_done_while_the_folder_elsewhere_is_away(app: Flask) -> None:
    installation = current_installation(app)
    installation.settings = installation.settings.model_copy(
        update={"audit_head_folder": "/nowhere/at/all"}
    )
    sent(app)
    background.once(app)
    with app.app_context():
        assert audit.last(db.session, "purged") is not None


@pytest.mark.parametrize("emptied", [True, False])
def test_a_database_file_that_is_gone_is_never_replaced_by_a_new_one(
    sqlite_app: Flask, start: Start, *, emptied: bool
) -> None:
    sent(sqlite_app)
    settings = current_installation(sqlite_app).settings
    with sqlite_app.app_context():
        db.engine.dispose()
    for file in settings.instance.glob("screening.db*"):
        file.unlink()
    if emptied:
        (settings.instance / "screening.db").touch(mode=0o600)
    for _ in range(2):
        again = start(settings)
        said = flask(again, "init", code=1).stderr
        assert "is empty, but it was in use: what it held is missing" in said
        assert "flask restore FILE" in said
        with pytest.raises(DatabaseNotReady):
            check_ready(again)
        # an installation of an older release has none
        for noted in settings.instance.glob("audit-*.head"):
            noted.unlink()


def test_an_init_that_was_interrupted_can_be_run_again(tmp_path: Path, start: Start) -> None:
    settings = Settings(instance=tmp_path / "new")
    settings.instance.mkdir(mode=0o700)
    write_keys(settings.instance / "data.key", new_keys())  # as far as it came
    app = start(settings)
    flask(app, "init")
    check_ready(start(settings))


@pytest.mark.parametrize(
    ("version", "words"),
    [("0001_first_tables", "of an older release"), ("9999_other", "of a newer release")],
)
def test_no_command_touches_tables_of_another_release(
    sqlite_app: Flask, version: str, words: str
) -> None:
    sent(sqlite_app)
    change(sqlite_app, f"UPDATE alembic_version SET version_num = '{version}'")
    before = current_installation(sqlite_app).key_file.read_bytes()
    for command in (
        ["rotate-key", "--forget"],
        ["purge"],
        ["verify"],
        ["outbox", "retry"],
        ["people", "list"],
    ):
        assert words in flask(sqlite_app, *command, code=1).stderr
    assert current_installation(sqlite_app).key_file.read_bytes() == before


@pytest.mark.both_databases
def test_every_row_that_a_bit_was_turned_in_is_found(app: Flask) -> None:
    colleague = Colleague(app, "dr", "prescriber", "admin")
    make_passkey(colleague)
    colleague.get("/clinic/")
    background.once(app)
    with app.app_context():
        actor = Actor(
            session=db.session, keys=current_installation().keys, now=datetime.now(UTC), by="dr"
        )
        tablet.begin(actor, pin="x", sign_in="none", patient=None, draft="")
    changes = {
        "tablets": ("state = 'staff'", "tries = 4", "pin = 'y'", "begun_by = 'me'"),
        "sign_ins": (
            "begun_at = '2031-01-01 00:00:00'",
            "address = '192.0.2.1'",
            "token_hash = 'x'",
        ),
        "credentials": ("one_time_until = '2031-01-01 00:00:00'", "browser_key = 'x'"),
        "passkeys": ("name = 'x'", "sign_count = 9", "lastuse_datetime = '2031-01-01 00:00:00'"),
        "drafts": ("expires_at = '2031-01-01 00:00:00'", "token_hash = 'x'"),
        "clocks": ("uptime = uptime + 1", "host = 'x'"),
    }
    for table, statements in changes.items():
        assert_each_change_is_found(app, table, statements)


def assert_each_change_is_found(app: Flask, table: str, statements: Iterable[str]) -> None:
    """Change the rows of a table in each of these ways, undo it, and look what `verify` says."""
    flask(app, "verify")
    for statement in statements:
        with app.app_context(), write(db.session):
            before = db.session.execute(text(f"SELECT * FROM {table}")).mappings().first()
            assert before is not None
            db.session.execute(text(f"UPDATE {table} SET {statement}"))
        assert f"{table} " in flask(app, "verify", code=1).stderr, (table, statement)
        column = statement.partition(" ")[0]
        with app.app_context(), write(db.session):
            db.session.execute(
                text(f"UPDATE {table} SET {column} = :before"), {"before": before[column]}
            )
    flask(app, "verify")


def test_a_damaged_time_is_named_and_the_rest_is_proved(sqlite_app: Flask) -> None:
    first = sent(sqlite_app)
    second = sent(sqlite_app)
    change(
        sqlite_app, f"UPDATE screenings SET submitted_at = 'nonsense' WHERE reference = '{first}'"
    )
    change(sqlite_app, f"UPDATE screenings SET language = 'es' WHERE reference = '{second}'")
    said = flask(sqlite_app, "verify", code=1).stderr
    assert f"{first}: " in said
    assert f"{second}: screenings.sealed_" in said


@pytest.mark.both_databases
def test_what_the_release_before_has_stored_is_sealed_by_init(app: Flask) -> None:
    colleague = Colleague(app)
    halfway = Visitor(app)
    sent(app)
    halfway.begin()
    with app.app_context():
        alembic.downgrade("0003_invitations_and_deliveries")
    for _ in range(2):
        flask(app, "init")
    assert "All is as it was stored: 1 screenings" in flask(app, "verify").stdout
    assert halfway.get("/questions/pregnancy").status_code == 200
    assert colleague.get("/clinic/").request.path == "/account/sign-in"
