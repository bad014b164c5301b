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
    here = installation(app)
    tasks: list[tuple[Callable[[Flask], bool], float]] = [(once, EVERY)]
    if here.settings.outbox_in_server:
        tasks.append((print_one, LOOK_EVERY))
    busy = [threading.Lock() for _ in tasks]

    def run(task: Callable[[Flask], bool], every: float, lock: threading.Lock, asked: threading.Event) -> None:
        while True:
            asked.clear()
            more = True
            while more:
                with lock:  # for each piece of work: a fork need not wait for all of it
                    more = task(app)
            asked.wait(every)

    def begin() -> None:
        here.outbox_filled = threading.Event()  # whoever forked may have held the lock within the old one
        for (task, every), lock in zip(tasks, busy, strict=True):
            asked = here.outbox_filled if task is print_one else threading.Event()
            name = f"background {task.__name__}"
            threading.Thread(target=run, args=(task, every, lock, asked), name=name, daemon=True).start()

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


def once(app: Flask) -> bool:
    """Do what is due daily; never is anything left. A failure is logged, without anything personal."""
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
    return False


def print_one(app: Flask) -> bool:
    """Do one job of the outbox; whether there may be another. What fails is noted there, or at least logged."""
    here = installation(app)
    with app.app_context():
        try:
            return here.printer.work(now=datetime.now(UTC))
        except Exception as err:  # noqa: BLE001 - whatever failed, the server goes on and tries again
            log.error("outbox: %s", type(err).__name__)
            return False


def empty_outbox(app: Flask) -> None:
    """Do all that is due."""
    while print_one(app):
        pass
