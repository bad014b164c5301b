"""What the server does by itself: it prints what was sent, and once a minute it looks whether anything else is due."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Flask

from screening.extensions import db, installation
from screening.services import retention
from screening.storage.audit import Act

EVERY = 60.0  # seconds
LOOK_EVERY = 5.0  # seconds; in between, the outbox is looked at whenever this process has put something into it

log = logging.getLogger("screening")


def start(app: Flask) -> None:
    """Begin, in threads that end with the process; in a process forked from this one, begin again there."""
    here, never = installation(app), threading.Event()
    tasks: list[tuple[Callable[[Flask], None], float, threading.Event]] = [(once, EVERY, never)]
    if here.settings.outbox_in_server:
        tasks.append((empty_outbox, LOOK_EVERY, here.outbox_filled))
    busy = [threading.Lock() for _ in tasks]

    def run(task: Callable[[Flask], None], every: float, asked: threading.Event, lock: threading.Lock) -> None:
        while True:
            asked.clear()
            with lock:
                task(app)
            asked.wait(every)

    def begin() -> None:
        for task, lock in zip(tasks, busy, strict=True):
            threading.Thread(target=run, args=(*task, lock), name=f"background {task[0].__name__}", daemon=True).start()

    def before_fork() -> None:
        # A server that loads the application before it forks: no connection may be open then, SQLite's least of all.
        for lock in busy:
            lock.acquire()
        with app.app_context():
            db.engine.dispose()

    def release() -> None:
        for lock in busy:
            lock.release()

    def begin_in_child() -> None:
        release()
        here.worklist.forget()
        begin()

    os.register_at_fork(before=before_fork, after_in_parent=release, after_in_child=begin_in_child)
    begin()


def once(app: Flask) -> None:
    """Do what is due daily. A failure is logged, without anything personal, and tried again next time."""
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


def empty_outbox(app: Flask) -> None:
    """Do what the outbox holds, one after the other. What fails is noted there; a database that fails is logged."""
    here = installation(app)
    with app.app_context():
        try:
            while here.printer.work(now=datetime.now(UTC)):
                db.session.rollback()
        except Exception as err:  # noqa: BLE001 - whatever failed, the server goes on and tries again
            log.error("outbox: %s", type(err).__name__)
        finally:
            db.session.rollback()
