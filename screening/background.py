"""What the server does by itself: once a minute it looks whether anything is due."""

import logging
import os
import threading
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Flask

from screening.extensions import db, installation
from screening.services import retention
from screening.storage.audit import Act

EVERY = 60.0  # seconds

log = logging.getLogger("screening")


def start(app: Flask) -> None:
    """Begin to look, in a thread that ends with the process; in a process forked from this one, begin again there."""

    def run() -> None:
        while True:
            with busy:
                once(app)
            never.wait(EVERY)

    def begin() -> None:
        threading.Thread(target=run, name="background", daemon=True).start()

    def before_fork() -> None:
        # A server that loads the application before it forks: no connection may be open then, SQLite's least of all.
        busy.acquire()
        with app.app_context():
            db.engine.dispose()

    def begin_in_child() -> None:
        busy.release()
        installation(app).worklist.forget()
        begin()

    busy, never = threading.Lock(), threading.Event()
    os.register_at_fork(before=before_fork, after_in_parent=busy.release, after_in_child=begin_in_child)
    begin()


def once(app: Flask) -> None:
    """Do what is due. A failure is logged, without anything personal, and tried again next time."""
    here = installation(app)
    with app.app_context():
        try:
            now, zone = datetime.now(UTC), here.settings.clinic_timezone
            act = Act(session=db.session, keys=here.keys, now=now, by="server")
            retention.daily(act, days=here.settings.retention_days)
            # After a start this reads every screening's state once, so that nobody waits for it.
            with here.worklist.current(
                db.session, here.keys, timezone=zone, today=now.astimezone(ZoneInfo(zone)).date()
            ):
                pass
        except retention.ClockInDoubt:
            log.warning("background: nothing is deleted, the clock or the audit log is far off; see flask doctor")
        except Exception as err:  # noqa: BLE001 - whatever failed, the server goes on and tries again
            log.error("background: %s", type(err).__name__)
