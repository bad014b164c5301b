"""What is kept, and that it cannot be read, swapped or lost unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text

from screening.cli import check_ready
from screening.extensions import alembic, db, installation
from screening.settings import Settings
from screening.storage import screenings
from screening.storage.database import DatabaseNotReady
from screening.storage.encryption import KeyFault, new_keys, write_keys
from screening.storage.tables import EditionRow, ScreeningRow
from tests.integration.visitor import Visitor

Start = Callable[[Settings], Flask]
MARKER = "Zyxwvutina"


def test_a_copied_database_shows_no_patient_data(app: Flask, visitor: Visitor, tmp_path: Path) -> None:
    reaction = {"hypersensitivity": {"hypersensitivity": "yes", "hypersensitivity_reaction": f"{MARKER} rash"}}
    visitor.fill_in(reaction, name=f"{MARKER} Patient", visit=f"{MARKER}-1")
    halfway = Visitor(app)
    halfway.begin(name=f"{MARKER} Halfway")
    visitor.send()
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            kept = b"".join(file.read_bytes() for file in (tmp_path / "instance").glob("screening.db*"))
        else:
            tables = ("drafts", "screenings", "editions", "key_checks")
            kept = b"".join(
                bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                for table in tables
                for row in db.session.execute(text(f"SELECT * FROM {table}"))
                for value in row
            )
    assert len(kept) > 1000
    for secret in (MARKER.encode(), b"1988-03-12", b"rash", b'hypersensitivity_reaction":"yes'):
        assert secret not in kept


def test_logs_name_nobody(
    sqlite_app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in({"vaccines": {"vaccines": "yes", "vaccines_which": MARKER}}, name=MARKER, visit=MARKER)
    visitor.send()

    def fail() -> None:
        raise RuntimeError(MARKER)

    monkeypatch.setitem(sqlite_app.view_functions, "patient.copy", fail)
    page = visitor.get("/copy")
    assert page.status_code == 500
    out, err = capfd.readouterr()
    assert "incident" in caplog.text
    for place in (caplog.text, out, err, page.text):
        assert MARKER not in place


def test_sealed_cells_cannot_be_swapped_between_rows(app: Flask) -> None:
    references = []
    for number in range(2):
        visitor = Visitor(app)
        visitor.fill_in(visit=str(number))
        references.append(visitor.send())
    with app.app_context():
        first, second = db.session.scalars(select(ScreeningRow).order_by(ScreeningRow.submitted_at)).all()
        first.sealed_answers, second.sealed_answers = second.sealed_answers, first.sealed_answers
        db.session.commit()
        with pytest.raises(KeyFault, match=r"screenings.sealed_answers cannot be opened"):
            screenings.find(db.session, installation().keys, ScreeningRow.reference == references[0])


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


def test_a_screening_is_found_however_it_is_asked_for_and_not_by_parts_of_words(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in(name="José  ÑANDÚ", visit="V-1042")
    reference = visitor.send()
    other = Visitor(app)
    other.fill_in(name="Somebody Else", visit="V-1043", birth_year="1990")
    other.send()
    with app.app_context():
        for typed in (*FINDS, reference.lower().replace("-", "")):
            assert screenings.search(db.session, installation().keys, typed) == [reference], typed
        for typed in FINDS_NOTHING:
            assert screenings.search(db.session, installation().keys, typed) == [], typed


def test_the_edition_is_kept_with_the_screening_and_a_changed_one_is_noticed(app: Flask, visitor: Visitor) -> None:
    visitor.fill_in({"infection": {"infection": "yes"}})
    reference = visitor.send()
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        edition = db.session.get_one(EditionRow, row.edition_digest)
        assert edition.content == installation().books["en"].edition.content
        edition.content = edition.content.replace('"severity":"contraindication"', '"severity":"caution"')
        db.session.commit()
    result = app.test_cli_runner().invoke(args=["summary", reference])
    assert result.exit_code == 1
    assert "was changed; restore the database" in result.stderr


@pytest.mark.parametrize(
    ("column", "value"), [("reference", "0000-0000"), ("draft_hash", "0" * 64), ("language", "es")]
)
def test_the_plain_part_of_a_row_cannot_be_exchanged(app: Flask, visitor: Visitor, column: str, value: str) -> None:
    visitor.fill_in()
    visitor.send()
    with app.app_context():
        row = db.session.scalars(select(ScreeningRow)).one()
        setattr(row, column, value)
        db.session.commit()
        with pytest.raises(KeyFault, match="cannot be opened"):
            screenings.find(db.session, installation().keys, ScreeningRow.reference == row.reference)


def test_a_lost_data_key_stops_the_start_and_is_never_replaced(app: Flask, start: Start) -> None:
    with app.app_context():
        installation().key_file.unlink()
    again = start(installation(app).settings)
    with pytest.raises(KeyFault, match=r"data\.key is missing.*restore it from your copy"):
        check_ready(again)
    result = again.test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 1
    assert "Restore the file from your copy" in result.output
    assert not installation(app).key_file.exists()


def test_a_wrong_data_key_stops_the_start(app: Flask, start: Start) -> None:
    installation(app).key_file.unlink()
    write_keys(installation(app).key_file, new_keys())
    again = start(installation(app).settings)
    with pytest.raises(KeyFault, match=r"data\.key is not the one it was sealed with"):
        check_ready(again)


@pytest.mark.parametrize("name", ["data.key", "secret.key"])
def test_a_key_that_others_can_read_stops_the_start(sqlite_app: Flask, name: str, start: Start) -> None:
    file = installation(sqlite_app).settings.instance / name
    file.chmod(0o644)
    with pytest.raises(KeyFault, match=f"chmod 600 .*{name}"):
        check_ready(start(installation(sqlite_app).settings))


@pytest.mark.parametrize("content", ["", "current = 1", 'current="k1"\nindex="AA=="\n[data]\nk1="AA=="', "\x00"])
def test_a_damaged_key_file_says_so(sqlite_app: Flask, content: str, start: Start) -> None:
    installation(sqlite_app).key_file.write_text(content)
    with pytest.raises(KeyFault, match=r"is damaged .*; restore it from your copy"):
        check_ready(start(installation(sqlite_app).settings))


def test_a_changed_index_key_stops_the_start(sqlite_app: Flask, start: Start) -> None:
    file = installation(sqlite_app).key_file
    lines = [
        line if not line.startswith("index") else f'index = "{"A" * 43}="' for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines))
    with pytest.raises(KeyFault, match="index key"):
        check_ready(start(installation(sqlite_app).settings))


def test_an_empty_secret_key_stops_the_start(sqlite_app: Flask, start: Start) -> None:
    installation(sqlite_app).secret_file.write_text("")
    with pytest.raises(KeyFault, match=r"secret\.key is too short; remove it and run `flask init`"):
        check_ready(start(installation(sqlite_app).settings))


def test_a_database_that_cannot_be_reached_says_so(start: Start, sqlite_app: Flask) -> None:
    away = replace(installation(sqlite_app).settings, database_url="postgresql://nobody@127.0.0.1:9/nothing")
    with pytest.raises(DatabaseNotReady, match=r"The database at postgresql.*127\.0\.0\.1:9.* cannot be used"):
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
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_database_that_was_never_prepared_says_what_to_run(tmp_path: Path, start: Start) -> None:
    app = start(Settings(instance=tmp_path / "empty"))
    with pytest.raises(KeyFault, match="run `flask init`"):
        check_ready(app)


def test_a_database_without_tables_says_what_to_run(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    app = make_app()
    with app.app_context():
        db.engine.dispose()
    for file in (tmp_path / "instance").glob("screening.db*"):
        file.unlink()
    with pytest.raises(DatabaseNotReady, match="run `flask init`"):
        check_ready(app)


def test_a_writer_waits_for_another(sqlite_app: Flask, tmp_path: Path) -> None:
    """A second writer is let in when the first has finished, instead of being told that the database is locked."""
    import threading

    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    other = sqlite3.connect(tmp_path / "instance" / "screening.db", isolation_level=None, check_same_thread=False)
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
