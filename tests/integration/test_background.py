"""The background threads survive every fault, and monitoring reports a thread that does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from screening import background
from screening.cli import outbox as commands
from screening.extensions import db
from screening.installation import current_installation
from screening.printing.renderer_process import Printed
from screening.services import printing
from screening.storage import outbox
from tests.integration.test_outbox import jobs
from tests.integration.test_review import sent
from tests.integration.test_upkeep import flask

pytestmark = pytest.mark.one_database


class Ended(BaseException):
    """The test has seen enough."""


class Rounds(threading.Event):
    """The pauses of a thread, without waiting: each calls one of `before`, the last ends it."""

    def __init__(self, *before: Callable[[], object]) -> None:
        super().__init__()
        self.before = list(before)

    def wait(self, timeout: float | None = None) -> bool:
        if not self.before:
            raise Ended
        self.before.pop(0)()
        return True


def rounds(app: Flask, task: background.Task, *before: Callable[[], object]) -> None:
    """Go round once, and once more after each of these."""
    with pytest.raises(Ended):
        background.run(app, task, 5.0, threading.Lock(), Rounds(*before))


def test_a_folder_of_the_audit_log_that_is_away_is_named_and_stops_nothing_else(
    app: Flask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    installation = current_installation(app)
    folder = tmp_path / "elsewhere"
    installation.settings = installation.settings.model_copy(
        update={"audit_head_folder": str(folder)}
    )
    background.once(app)
    assert not caplog.records
    background.copy_audit_head(app)
    assert f"is not copied to {folder}: No such file or directory" in caplog.text
    folder.mkdir()
    background.copy_audit_head(app)
    assert len([*folder.iterdir()]) == 1


def test_a_connection_that_breaks_after_the_last_statement_leaves_the_next_job_to_be_done(
    postgresql_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        printing, "print_summary", lambda *_, **__: Printed(b"%PDF-1.7 fake", frozenset())
    )
    looked = outbox.is_due
    broken = []

    def look_and_lose_the_connection(*given: Any, **named: Any) -> bool:
        due = looked(*given, **named)
        if not broken:
            broken.append(due)
            end_backend_of_this_session()
        return due

    monkeypatch.setattr(outbox, "is_due", look_and_lose_the_connection)
    rounds(postgresql_app, background.print_one, lambda: sent(postgresql_app))
    assert broken == [False], (
        "the connection broke when nothing was due: the next statement is the context's own"
    )
    assert jobs(postgresql_app) == []


def end_backend_of_this_session() -> None:
    pid = db.session.scalar(text("SELECT pg_backend_pid()"))
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


@pytest.mark.parametrize("place", ["task", "work", "end of the context"])
@pytest.mark.both_databases
def test_whatever_a_task_raises_the_thread_goes_on(
    app: Flask, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt]
    coming = [error("Zyxwvutina has a rash") for error in errors]
    done = []

    def fail(installation: str) -> None:
        if installation == place and coming:
            raise coming.pop(0)

    @app.teardown_appcontext
    def end(_error: BaseException | None) -> None:
        fail("end of the context")

    def work(_here: object) -> bool:
        fail("work")
        done.append(len(coming))
        return False

    def task(app: Flask) -> bool:
        fail("task")
        return background._logged(app, "outbox", work)

    rounds(app, task, *[lambda: None] * len(errors))
    assert coming == []
    assert done[-1] == 0
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        error.__name__ for error in errors
    ]


# -------------------------------------------------------------------------------------------------
# who watches it hears


def a_dead_thread(app: Flask) -> None:
    thread = threading.Thread(target=lambda: None, name="printing")
    thread.start()
    thread.join()
    current_installation(app).rounds = {thread: time.monotonic()}


def a_stuck_thread(app: Flask) -> None:
    begun = time.monotonic() - background.STUCK_AFTER - 1
    current_installation(app).rounds = {threading.current_thread(): begun}


@pytest.mark.parametrize(
    ("fault", "words"), [(a_dead_thread, "has ended"), (a_stuck_thread, "has made no progress")]
)
def test_it_is_not_ready_while_a_thread_is_dead_or_stuck(
    app: Flask, fault: Callable[[Flask], None], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = app.test_client()
    current_installation(app).rounds = {threading.current_thread(): time.monotonic()}
    assert browser.get("/readyz").status_code == 200
    fault(app)
    assert (browser.get("/readyz").status_code, browser.get("/healthz").status_code) == (503, 200)
    assert words in caplog.text


@pytest.mark.parametrize(
    ("fault", "words"), [(a_dead_thread, "has ended"), (a_stuck_thread, "has made no progress")]
)
def test_the_command_ends_when_a_thread_is_dead_or_stuck_so_that_it_is_started_again(
    app: Flask, fault: Callable[[Flask], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "start", lambda app, only_outbox: fault(app))
    monkeypatch.setattr(commands, "WATCH_EVERY", 0)
    assert words in flask(app, "outbox", "run", code=1).stderr


def test_a_forked_process_begins_anew(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(outbox_in_server=False)
    hooks: dict[str, Callable[[], None]] = {}
    asked = threading.Event()
    monkeypatch.setattr(background, "once", lambda app: asked.set() or False)
    monkeypatch.setattr(background.os, "register_at_fork", lambda **given: hooks.update(given))
    background.start(app)
    first = set(current_installation(app).rounds)
    a_stuck_thread(app)
    hooks["before"]()
    hooks["after_in_child"]()
    second = set(current_installation(app).rounds)
    assert len(second) == len(first)
    assert not second & first
    assert asked.wait(10)
    assert background.fault(current_installation(app), now=time.monotonic()) == ""
