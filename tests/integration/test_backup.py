"""A backup counts once it was read back; a restore is whole or nothing, and ends all sessions."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import inspect

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import backup
from screening.settings import Settings
from screening.storage.encryption import new_keys, write_keys
from tests.integration.colleague import Colleague
from tests.integration.test_review import sent
from tests.integration.test_upkeep import empty_database, flask
from tests.integration.visitor import Visitor

Start = Callable[[Settings], Flask]

pytestmark = pytest.mark.one_database

both_databases = pytest.mark.both_databases


@pytest.fixture
def elsewhere(app: Flask, start: Start, tmp_path: Path) -> Flask:
    """An empty place with the keys of `app`."""
    installation = current_installation(app)
    url = SecretStr(empty_database(installation.settings))
    settings = installation.settings.model_copy(
        update={"instance": tmp_path / "elsewhere", "database_url": url}
    )
    settings.instance.mkdir(mode=0o700)
    for file in (installation.key_file, installation.secret_file):
        shutil.copy2(file, settings.instance)
    return start(settings)


def tables(app: Flask) -> list[str]:
    with app.app_context():
        tables = inspect(db.engine).get_table_names()
        db.engine.dispose()
        return tables


@both_databases
def test_a_backup_that_fails_is_not_the_last_backup(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise backup.CannotCopy("it cannot be read back")

    with monkeypatch.context() as patched:
        patched.setattr(backup, "_read_back", fail)
        flask(app, "backup", str(tmp_path / "copy"), code=1)
    flask(app, "backup", str(tmp_path / "missing" / "copy"), code=1)
    assert "FAULT  last backup: never" in flask(app, "doctor", code=1).stdout
    assert not list(tmp_path.glob("copy*"))
    log = flask(app, "audit", "export").stdout
    assert log.count("backup begun,,copy") == 2
    assert "backed up" not in log
    flask(app, "backup", str(tmp_path / "copy"))
    assert "ok     last backup" in flask(app, "doctor", code=1).stdout


def test_a_copy_that_lacks_what_was_stored_last_is_noticed(
    sqlite_app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(sqlite_app)
    flask(sqlite_app, "backup", str(tmp_path / "good"))
    real = backup._copy

    def damaged(source: Path, target: Path, progress: backup.Progress) -> None:
        real(source, target, progress)
        content = bytearray(target.read_bytes())
        for place in range(5 * 4096, len(content) - 4096, 4096):
            content[place + 8 : place + 64] = b"\xff" * 56
        target.write_bytes(content)

    monkeypatch.setattr(backup, "_copy", damaged)
    flask(sqlite_app, "backup", str(tmp_path / "bad"), code=1)
    assert not list(tmp_path.glob("bad*"))


def test_what_a_killed_backup_left_is_removed_and_nothing_else(
    sqlite_app: Flask, tmp_path: Path
) -> None:
    flask(sqlite_app, "backup", str(tmp_path / "first"))
    left, busy, other = (
        tmp_path / f"{name}.unfinished" for name in ("yesterday", "running", "data.key")
    )
    for path in (left, busy):
        shutil.copy2(tmp_path / "first", path)
    left.write_bytes(bytes(8192))  # SQLite writes the first page last
    journal = left.with_name(f"{left.name}-journal")
    journal.write_text("x")
    other.write_text("# no backup")
    with busy.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = flask(sqlite_app, "backup", str(tmp_path / "second")).stderr
        assert (
            "being written by another backup"
            in flask(sqlite_app, "backup", str(tmp_path / "running"), code=1).stderr
        )
    assert f"Removed {left}" in said
    assert sorted(path.name for path in tmp_path.glob("*.unfinished*")) == [
        "data.key.unfinished",
        "running.unfinished",
    ]


@both_databases
def test_a_restore_with_another_key_leaves_the_place_empty(
    app: Flask, elsewhere: Flask, start: Start, tmp_path: Path
) -> None:
    sent(app)
    flask(app, "backup", str(tmp_path / "copy"))
    key = current_installation(elsewhere).key_file
    right = current_installation(app).key_file.read_bytes()
    write_keys(key, new_keys(), instead=True)
    wrong = start(current_installation(elsewhere).settings)
    assert (
        "data.key is not the one" in flask(wrong, "restore", str(tmp_path / "copy"), code=1).stderr
    )
    assert tables(elsewhere) == []
    key.write_bytes(right)
    flask(elsewhere, "restore", str(tmp_path / "copy"))
    assert "All is as it was stored: 1 screenings" in flask(elsewhere, "verify").stdout


def test_an_interrupted_restore_leaves_the_place_empty_and_can_be_run_again(
    app: Flask, elsewhere: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(app)
    flask(app, "backup", str(tmp_path / "copy"))
    for place in ("_check", "_rename"):

        def stop(*given: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(backup, place, stop)
            # as a killed process would leave it
            patched.setattr(backup, "_remove", lambda path: None)
            assert (
                elsewhere.test_cli_runner()
                .invoke(args=["restore", str(tmp_path / "copy")])
                .exit_code
                != 0
            )
        assert tables(elsewhere) == []
    assert "Restored 1 screenings" in flask(elsewhere, "restore", str(tmp_path / "copy")).stdout
    flask(elsewhere, "verify")
    assert not list(current_installation(elsewhere).settings.instance.glob("*.unfinished*"))


@both_databases
def test_no_cookie_from_before_opens_anything(app: Flask, elsewhere: Flask, tmp_path: Path) -> None:
    dr = Colleague(app)
    halfway = Visitor(app)
    halfway.fill_in()
    flask(app, "backup", str(tmp_path / "copy"))
    assert dr.get("/clinic/").request.path == "/clinic/"
    flask(elsewhere, "restore", str(tmp_path / "copy"))
    for browser in (dr, halfway):
        there = elsewhere.test_client()
        for cookie in list(browser.client._cookies.values()):
            there.set_cookie(cookie.key, cookie.value)
        browser.client = there
    assert dr.get("/clinic/").request.path == "/account/sign-in"
    assert halfway.get("/check").status_code == 410
    dr.sign_in()
    assert dr.path == "/clinic/"


def test_what_was_lost_since_the_backup_is_told(app: Flask, tmp_path: Path) -> None:
    sent(app)
    flask(app, "backup", str(tmp_path / "copy"))
    sent(app)
    with app.app_context():
        db.engine.dispose()
    folder = current_installation(app).settings.instance
    for file in folder.glob("screening.db*"):
        file.unlink()
    (folder / "screening.db-wal").write_bytes(b"stale")
    assert (
        "is left of another database"
        in flask(app, "restore", str(tmp_path / "copy"), code=1).stderr
    )
    (folder / "screening.db-wal").unlink()
    # Sent, backup begun, backed up, sent: the copy has the first two.
    assert (
        "went to row 4, that of the backup to 2"
        in flask(app, "restore", str(tmp_path / "copy")).stdout
    )
    flask(app, "verify")
