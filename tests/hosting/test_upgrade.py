"""An upgrade as docs/operations.md describes it, and both ways to go back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from screening.extensions import alembic, db
from screening.installation import current_installation
from screening.operating.readiness import check_ready
from screening.settings import Settings
from screening.storage.database import DatabaseNotReady, write
from tests.integration.test_review import sent
from tests.integration.test_upkeep import flask, kept

OLD = "0002_summaries_and_outbox"  # the revision of the tables of the previous release


def release_of(app: Flask) -> str:
    """Return the revision of a database's tables."""
    with app.app_context():
        return str(db.session.scalar(text("SELECT version_num FROM alembic_version")))


def test_an_upgrade_and_both_ways_back(
    sqlite_app: Flask, start: Callable[[Settings], Flask], tmp_path: Path
) -> None:
    first = sent(sqlite_app)
    with sqlite_app.app_context():
        alembic.downgrade(OLD)
    flask(sqlite_app, "backup", str(tmp_path / "before"))

    with pytest.raises(
        DatabaseNotReady, match="older release; make a backup, then run `flask init`"
    ):
        check_ready(sqlite_app)
    flask(sqlite_app, "init")
    check_ready(sqlite_app)
    second = sent(sqlite_app)

    with sqlite_app.app_context():
        flask(sqlite_app, "db", "downgrade", OLD)  # by the new release: keeps later screenings
    assert release_of(sqlite_app) == OLD
    flask(sqlite_app, "init")
    assert "All is as it was stored: 2 screenings" in flask(sqlite_app, "verify").stdout
    assert kept(sqlite_app) == {first, second}

    settings = current_installation(sqlite_app).settings  # the backup holds only earlier screenings
    elsewhere = settings.model_copy(update={"instance": tmp_path / "elsewhere"})
    elsewhere.instance.mkdir(mode=0o700)
    shutil.copy2(settings.instance / "data.key", elsewhere.instance)
    back = start(elsewhere)
    flask(back, "restore", str(tmp_path / "before"))
    assert release_of(back) == OLD
    flask(back, "init")
    assert "All is as it was stored: 1 screenings" in flask(back, "verify").stdout
    assert kept(back) == {first}


def test_an_older_release_does_not_touch_the_tables_of_a_newer_one(sqlite_app: Flask) -> None:
    with sqlite_app.app_context(), write(db.session):
        db.session.execute(text("UPDATE alembic_version SET version_num = '9999_from_the_future'"))
    with pytest.raises(DatabaseNotReady, match="9999_from_the_future"):
        check_ready(sqlite_app)
    assert "9999_from_the_future" in flask(sqlite_app, "init", code=1).stderr
