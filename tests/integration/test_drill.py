"""A drill restores the newest backup beside the live data, verifies it and leaves nothing."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import Result
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import create_engine, inspect

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import drill
from screening.storage import audit
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, empty_database, flask

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases

REFERENCES = "SELECT reference FROM screenings ORDER BY reference"


class Tried:
    """An installation with screenings and a backup, and a place for drills."""

    def __init__(self, app: Flask, folder: Path) -> None:
        self.app = app
        self.backups = folder / "backups"
        self.backups.mkdir()
        self.settings = current_installation(app).settings
        url = empty_database(self.settings)
        self.place = ["--database", url] if url else []
        self.sent = [sent(app), sent(app)]
        self.backup("first")
        self.sent.append(sent(app))  # after the backup

    @property
    def newest(self) -> Path:
        return self.backups / "first"

    def backup(self, name: str) -> None:
        flask(self.app, "backup", str(self.backups / name))

    def drill(self, *, code: int = 0) -> Result:
        return flask(self.app, "drill", str(self.backups), *self.place, code=code)

    def left(self) -> list[str]:
        """Return what a drill has left behind."""
        folder = self.settings.instance / drill.NAME
        left = [str(file) for file in folder.glob("*")] + [str(folder)] * folder.exists()
        if self.place:
            place = self.settings.model_copy(update={"database_url": SecretStr(self.place[1])})
            engine = create_engine(place.database)
            left += inspect(engine).get_table_names()
            left += [name for name in inspect(engine).get_schema_names() if name == drill.NAME]
            engine.dispose()
        return left

    def stored(self) -> list[str]:
        with self.app.app_context():
            return list(db.session.connection().exec_driver_sql(REFERENCES).scalars())

    def told(self) -> str:
        """Return what the doctor tells about the last drill."""
        lines = self.app.test_cli_runner().invoke(args=["doctor"]).output.splitlines()
        (line,) = [line for line in lines if "last drill" in line]
        return line


@pytest.fixture
def tried(app: Flask, tmp_path: Path) -> Tried:
    return Tried(app, tmp_path)


@both_databases
def test_a_good_backup_passes_and_the_live_data_stay_as_they_are(tried: Tried) -> None:
    assert tried.told().startswith("note   last drill: never")
    said = tried.drill()
    assert f"{tried.newest} can be restored" in said.stdout
    assert "Assessing again" in said.stderr
    assert tried.left() == []
    assert tried.stored() == sorted(tried.sent)
    assert "All is as it was stored: 3 screenings" in flask(tried.app, "verify").stdout
    assert tried.told().startswith("ok     last drill: ")
    with tried.app.app_context():
        newest = audit.last(db.session)
        assert newest is not None
        assert (newest.action, newest.detail) == (drill.PASSED, "first")


def test_the_backup_that_was_made_last_is_tried_and_no_other(tried: Tried) -> None:
    tried.backup("second")
    assert "second can be restored" in tried.drill().stdout
    (tried.backups / "second").unlink()
    assert "does not have the newest backup: second of 2" in tried.drill(code=1).stderr
    assert tried.told().startswith("FAULT  last drill: ")
    assert "does not have the newest backup" in tried.told()


@both_databases
def test_a_damaged_backup_fails(tried: Tried) -> None:
    content = bytearray(tried.newest.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = b"\xa5" * 4096
    tried.newest.write_bytes(content)
    tried.drill(code=1)
    assert "drill failed" in tried.told()
    assert tried.left() == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit SET mac = zero", "its audit log ends with row 3, which is another one here"),
        ("UPDATE audit SET detail = 'first' WHERE action = 'backed up'", ""),
        ("UPDATE audit SET action = 'backup begun', detail = 'first' WHERE number = 5", "row 5"),
        (
            "UPDATE audit SET action = 'other' WHERE number = 1",
            "it has 2 screenings; when it was made there were 1",
        ),
    ],
)
def test_a_backup_that_is_not_of_what_was_stored_here_fails(
    tried: Tried, statement: str, words: str
) -> None:
    zero = "'\\x00'::bytea" if tried.settings.database_url else "x'00'"
    change(tried.app, statement.replace("zero", zero))
    assert words in tried.drill(code=1 if words else 0).stderr


@both_databases
def test_what_a_killed_drill_left_is_deleted_by_the_next(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(drill, "_delete", lambda *_: None)
        patched.setattr(Path, "rmdir", kill)
        patched.setattr(drill, "faults_of", kill)
        words = ["drill", str(tried.backups), *tried.place]
        assert tried.app.test_cli_runner().invoke(args=words).exit_code == 1
    assert tried.left()
    tried.drill()
    assert tried.left() == []


def test_no_two_drills_run_at_once(tried: Tried) -> None:
    folder = tried.settings.instance / drill.NAME
    folder.mkdir()
    (folder / "theirs").touch()
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert "Another drill is running" in tried.drill(code=1).stderr
    os.close(lock)
    assert (folder / "theirs").exists()


@pytest.mark.parametrize("foreign", ["file", "link"])
def test_files_that_are_not_of_a_drill_are_never_deleted(tried: Tried, foreign: str) -> None:
    folder = tried.settings.instance / drill.NAME
    elsewhere = tried.backups.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "theirs").touch()
    if foreign == "file":
        elsewhere.rename(folder)
    else:
        folder.symlink_to(elsewhere)
    said = tried.drill(code=1).stderr
    assert str(folder) in said
    assert "move" in said
    assert (folder / "theirs").exists()


def test_the_live_database_is_never_emptied_even_with_the_mark_of_a_drill(
    postgresql_app: Flask, tmp_path: Path
) -> None:
    """A drill was killed in an empty database, which a clinic then began to use."""
    tried = Tried(postgresql_app, tmp_path)
    live = str(tried.settings.database_url.get_secret_value())
    change(tried.app, f"CREATE SCHEMA {drill.NAME}")
    tried.place = ["--database", live]
    assert "is the live database" in tried.drill(code=1).stderr
    assert tried.stored() == sorted(tried.sent)


def test_too_little_space_is_told_before_anything_is_copied(
    sqlite_app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Tried(sqlite_app, tmp_path)
    monkeypatch.setattr(drill, "FREE", 2**60)
    assert "too little space" in tried.drill(code=1).stderr


def test_postgresql_needs_a_database_of_its_own(postgresql_app: Flask, tmp_path: Path) -> None:
    tried = Tried(postgresql_app, tmp_path)
    live = str(tried.settings.database_url.get_secret_value())
    for place, words in (
        ([], "--database URL"),
        (["--database", "nonsense"], "must be like"),
        (["--database", live], "is the live database"),
    ):
        tried.place = place
        assert words in tried.drill(code=1).stderr
    assert tried.stored() == sorted(tried.sent)
    flask(tried.app, "verify")


def test_a_drill_of_long_ago_is_a_fault(tried: Tried) -> None:
    tried.drill()
    for days, mark in ((99, "ok"), (101, "FAULT")):
        at = datetime.now(UTC) - timedelta(days=days)
        change(
            tried.app,
            f"UPDATE audit SET at = '{at:%Y-%m-%d %H:%M:%S.%f}' WHERE action = '{drill.PASSED}'",
        )
        assert tried.told().startswith(mark)
