"""Let days pass for an installation, as a server that runs all the time lives through them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import retention
from screening.operating.clock import Machine
from screening.storage.audit import Actor
from screening.storage.tables import ClockRow

HOST = "test"
BOOTED = datetime(2020, 1, 1, tzinfo=UTC)
STEP = timedelta(days=7)


def purge(
    app: Flask,
    at: datetime,
    *,
    wall: datetime | None = None,
    days: int = 90,
    by_itself: bool = False,
    acknowledged: bool = True,
) -> int:
    """Return how many screenings a purge at `at` deletes, while the system clock shows `wall`.

    What is announced is acknowledged before.
    """
    with app.app_context():
        actor = Actor(
            session=db.session, keys=current_installation().keys, now=wall or at, by="test"
        )
        if acknowledged:
            retention.acknowledge(actor, retention.announced(db.session, days=days, shown=1000)[2])
        machine = Machine(host=HOST, uptime=(at - BOOTED).total_seconds())
        return retention.purge(actor, machine, days=days, by_itself=by_itself)[0]


def pass_days(
    app: Flask, to: float, *, since: float = 0, days: int = 90, acknowledged: bool = True
) -> int:
    """Purge from the last purge, or `since`, until `to` days from now; return the deletions."""
    with app.app_context():
        last = db.session.get(ClockRow, HOST)
        at = last.at if last else datetime.now(UTC) + timedelta(days=since)
    end = datetime.now(UTC) + timedelta(days=to)
    deleted = 0
    while True:
        deleted += purge(app, at, days=days, acknowledged=acknowledged)
        if at >= end:
            return deleted
        at = min(at + STEP, end)
