"""What machines that watch this one are told: enough to call somebody, and nothing about anyone."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import pytest
from flask import Flask
from sqlalchemy import text

from screening import background
from screening.extensions import db
from screening.installation import current_installation
from screening.storage.database import BUSY_SECONDS, write
from tests.integration.test_review import PREGNANT, sent
from tests.integration.test_upkeep import change

pytestmark = pytest.mark.one_database


def figures(app: Flask, **asked: object) -> dict[str, float]:
    """Each sample by its name and labels."""
    answer = app.test_client().get("/metrics", **asked)
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(
        re.fullmatch(r'screening_[a-z_]+(\{[a-z]+="[^"]*"\})? [0-9.e+-]+', line) for line in lines
    ), lines
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.both_databases
def test_the_figures_tell_what_waits_what_failed_and_how_long_printing_took(
    app: Flask,
) -> None:
    sent(app, PREGNANT, name="Zyxwvutina Marker", visit="V-77")
    sent(app)
    assert figures(app)['screening_outbox_jobs{kind="summary"}'] == 2
    background.empty_outbox(app)
    assert figures(app)['screening_outbox_jobs{kind="summary"}'] == 0
    sent(app)
    change(app, "UPDATE outbox SET failed = true")
    metrics = figures(app)
    assert metrics["screening_submits_total"] == 3
    assert metrics['screening_outbox_jobs{kind="summary"}'] == 1
    assert metrics['screening_outbox_failed{kind="summary"}'] == 1
    assert 0 < metrics['screening_outbox_age_seconds{kind="summary"}'] < 60
    assert metrics["screening_printed"] == 2
    assert (
        0
        < metrics['screening_print_seconds{quantile="0.5"}']
        <= metrics['screening_print_seconds{quantile="1.0"}']
        < 60
    )
    assert not re.search(
        "zyxwv|V-77|pregnan", app.test_client().get("/metrics").text, re.IGNORECASE
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},
        {"headers": {"Forwarded": "for=192.0.2.7"}},
        {
            "headers": {"Authorization": "Bearer wrong"},
            "environ_overrides": {"REMOTE_ADDR": "192.0.2.7"},
        },
    ],
    ids=str,
)
def test_the_figures_are_for_this_machine_or_with_a_token(
    sqlite_app: Flask, asked: dict[str, object]
) -> None:
    file = current_installation(sqlite_app).settings.instance / "metrics.token"
    for _ in ("without a file", "with one"):
        assert sqlite_app.test_client().get("/metrics", **asked).status_code == 404
        file.write_text("a long token\n")
        file.chmod(0o600)
    right = {"Authorization": "Bearer a long token"}
    figures(sqlite_app, headers=right, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})


def test_whoever_watches_on_this_machine_need_not_know_the_public_name(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(public_url="https://screening.clinic.example")
    assert app.test_client().get("/healthz", base_url="http://127.0.0.1:8000").status_code == 200
    assert app.test_client().get("/healthz", base_url="http://other.example").status_code == 400


@pytest.mark.both_databases
def test_it_is_ready_while_keys_and_database_fit_together(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    browser = app.test_client()
    assert browser.get("/readyz").text == "ready\n"
    change(app, "UPDATE alembic_version SET version_num = '0001_first_tables'")
    assert (browser.get("/readyz").status_code, browser.get("/readyz").text) == (503, "not ready\n")
    assert "older release" in caplog.text
    change(app, "DROP TABLE key_checks")
    assert browser.get("/readyz").status_code == 503
    assert browser.get("/healthz").status_code == 200


@contextmanager
def disk_full() -> Iterator[None]:
    """Let this process make no file longer meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def later(app: Flask) -> None:
    """As if the last try to write was long ago."""
    current_installation(app).write_proved = (-inf, current_installation(app).write_proved[1])


def test_it_is_not_ready_while_the_disk_is_full(
    sqlite_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    browser = sqlite_app.test_client()
    assert browser.get("/readyz").status_code == 200
    with disk_full():
        assert browser.get("/readyz").status_code == 200, "too early for another try"
        later(sqlite_app)
        assert browser.get("/readyz").status_code == 503
    assert "nothing can be written" in caplog.text
    assert browser.get("/readyz").status_code == 503, "too early for another try"
    later(sqlite_app)
    assert browser.get("/readyz").status_code == 200


def test_it_is_not_ready_while_the_database_can_only_be_read(
    postgresql_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with postgresql_app.app_context():
        name = db.engine.url.database
        change(postgresql_app, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        db.engine.dispose()
    assert postgresql_app.test_client().get("/readyz").status_code == 503
    assert "nothing can be written" in caplog.text


@pytest.mark.both_databases
def test_whether_it_can_write_is_told_at_once_while_somebody_else_writes(app: Flask) -> None:
    with app.app_context(), write(db.session):
        db.session.execute(text("UPDATE key_checks SET key_id = key_id"))
        begun = time.monotonic()
        assert app.test_client().get("/readyz").status_code == 200
        assert time.monotonic() - begun < BUSY_SECONDS / 2
