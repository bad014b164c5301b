"""From SQLite to PostgreSQL: all rows arrive unchanged, and the old database refuses writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import move_database
from screening.operating.backup import CannotCopy
from screening.operating.readiness import check_ready
from screening.settings import Settings
from screening.storage.database import DatabaseNotReady
from screening.storage.tables import Base
from tests.integration.colleague import Colleague, add_person
from tests.integration.test_passkeys import make as make_passkey
from tests.integration.test_passkeys import use as use_passkey
from tests.integration.test_review import sent
from tests.integration.test_upkeep import change, flask
from tests.integration.visitor import NO_TO_ALL, Visitor

Start = Callable[[Settings], Flask]


@pytest.fixture
def target(postgresql: str, prepared_postgresql: str, request: pytest.FixtureRequest) -> str:
    """A PostgreSQL database in which `flask init` was run with the keys of `sqlite_app`."""
    name = f"moved_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {prepared_postgresql} STRATEGY FILE_COPY"
        )
    return f"{postgresql}/{name}"


def pointing_to(settings: Settings, url: str) -> Settings:
    """The settings with another database."""
    return settings.model_copy(update={"database_url": SecretStr(url)})


def counts(app: Flask) -> dict[str, int]:
    """How many rows each table has."""
    with app.app_context():
        return {
            table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def test_everything_is_there_after_the_move_and_goes_on(
    sqlite_app: Flask, target: str, start: Start, tmp_path: Path
) -> None:
    dr = Colleague(sqlite_app)
    device = make_passkey(dr)
    reference = sent(sqlite_app)
    dr.decide(reference, "proceed")
    halfway = Visitor(sqlite_app)
    halfway.begin(name="Halfway Ñandú")
    before = counts(sqlite_app)
    output = flask(sqlite_app, "move-database", target).stdout
    assert f"Moved {sum(before.values())} rows" in output
    assert "set database_url" in output

    moved = start(pointing_to(current_installation(sqlite_app).settings, target))
    assert counts(moved) == before | {"audit": before["audit"] + 1}
    assert "All is as it was stored: 1 screenings" in flask(moved, "verify").stdout
    flask(moved, "audit", "verify")
    check_ready(moved)
    # Who was halfway goes on with the same cookie, who was signed in still is, and new rows have
    # new numbers.
    for somebody in (halfway, dr):
        cookies = somebody.client._cookies
        somebody.client = moved.test_client()
        somebody.client._cookies = cookies
    halfway.get("/continue")
    halfway.answer(NO_TO_ALL)
    assert halfway.send() != reference
    assert "Dr dr" in dr.get(f"/clinic/screenings/{reference}").text
    add_person(moved, "second", "staff")
    elsewhere = Visitor(moved)
    use_passkey(elsewhere, device)
    assert elsewhere.path == "/clinic/"

    with pytest.raises(DatabaseNotReady, match="was moved to PostgreSQL; set database_url"):
        check_ready(sqlite_app)
    assert "was moved to PostgreSQL" in flask(sqlite_app, "init", code=1).stderr
    with (
        closing(sqlite3.connect(tmp_path / "instance" / "screening.db")) as left_running,
        pytest.raises(sqlite3.IntegrityError, match="was moved to PostgreSQL"),
    ):
        left_running.execute("UPDATE drafts SET expires_at = expires_at")


def test_a_source_that_cannot_be_closed_is_not_moved(
    sqlite_app: Flask, target: str, start: Start
) -> None:
    """Such as where its disk is full; here the last thing that would close it is there already."""
    sent(sqlite_app)
    moved = start(pointing_to(current_installation(sqlite_app).settings, target))
    empty = counts(moved)
    keys = current_installation(sqlite_app).keys
    *_, last = move_database._closing()
    how: dict[str, Any] = {
        "now": datetime.now(UTC),
        "by": "test",
        "progress": lambda done, total: None,
    }
    with sqlite_app.app_context(), db.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql(last)
    with sqlite_app.app_context(), pytest.raises(CannotCopy, match="Nothing was moved"):
        move_database.move(db.engine, current_installation(moved).settings.database, keys, **how)
    assert counts(moved) == empty
    with sqlite_app.app_context(), db.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {last.split()[2]}")

    def fail(connection: object) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk is full"))

    with sqlite_app.app_context():
        event.listen(db.engine, "commit", fail)
        with pytest.raises(
            CannotCopy, match=r"Everything is in PostgreSQL now, but .*: disk is full"
        ):
            move_database.move(
                db.engine, current_installation(moved).settings.database, keys, **how
            )
    assert counts(moved)["screenings"] == 1


def test_nobody_writes_meanwhile_and_a_move_that_breaks_off_was_none(
    sqlite_app: Flask, target: str, start: Start, tmp_path: Path
) -> None:
    sent(sqlite_app)

    def write_then_stop(done: int, total: int) -> None:
        with closing(sqlite3.connect(tmp_path / "instance" / "screening.db", timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("DELETE FROM drafts")
            if done == total:
                raise KeyboardInterrupt

    moved = start(pointing_to(current_installation(sqlite_app).settings, target))
    empty = counts(moved)
    url = current_installation(moved).settings.database
    keys = current_installation(sqlite_app).keys
    now = datetime.now(UTC)
    with sqlite_app.app_context(), pytest.raises(KeyboardInterrupt):
        move_database.move(db.engine, url, keys, now=now, by="test", progress=write_then_stop)
    assert counts(moved) == empty
    sent(sqlite_app)
    flask(sqlite_app, "move-database", target)
    assert "All is as it was stored: 2 screenings" in flask(moved, "verify").stdout


def test_a_target_that_is_not_ready_is_refused(
    sqlite_app: Flask, target: str, postgresql: str
) -> None:
    sent(sqlite_app)
    refusals = {
        "postgresql://somebody:hidden@127.0.0.1:9/x": "Nothing was moved: connection",
        f"{postgresql}/postgres": "Nothing was moved: relation",
        "sqlite:///elsewhere.db": "Only from SQLite to PostgreSQL",
        "nonsense": "Nothing was moved: Could not parse",
    }
    for url, why in refusals.items():
        output = flask(sqlite_app, "move-database", url, code=1).stderr
        assert why in output
        assert "hidden" not in output
    with psycopg.connect(target) as connection:
        connection.execute("INSERT INTO attempts (key, at) VALUES ('', now())")
    assert "is not empty (attempts)" in flask(sqlite_app, "move-database", target, code=1).stderr
    with psycopg.connect(target) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002_summaries_and_outbox'")
    assert "of another release" in flask(sqlite_app, "move-database", target, code=1).stderr
    check_ready(sqlite_app)


def test_an_audit_log_that_is_not_whole_is_not_moved(sqlite_app: Flask, target: str) -> None:
    sent(sqlite_app)
    change(sqlite_app, "UPDATE audit SET actor = 'nobody' WHERE number = 1")
    assert (
        "audit log is not whole:\nrow 1 "
        in flask(sqlite_app, "move-database", target, code=1).stderr
    )
    change(sqlite_app, "DELETE FROM drafts")  # it is still open for writing
