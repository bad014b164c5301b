"""Work of the server in the background: the jobs of the outbox, and what is due daily."""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from math import inf

from flask import Flask

from screening.extension_points import JobKind
from screening.extensions import db
from screening.installation import Installation, current_installation
from screening.operating import overlooked, retention
from screening.operating.clock import ClockInDoubt, this_machine
from screening.settings import as_called
from screening.storage import audit
from screening.storage.audit import Actor

EVERY = 60.0  # seconds
# seconds; in between, the outbox is looked at whenever this process has put something into it
LOOK_EVERY = 5.0
STUCK_AFTER = 120.0  # seconds without progress; the limits within a piece of work add up to less

SHORTLY = 0.05  # seconds

log = logging.getLogger("screening")

Task = Callable[[Flask], bool]  # does a piece of work, and tells whether there may be more


def start(app: Flask, *, only_outbox: bool = False) -> None:
    """Begin in threads that end with the process; a forked process begins its own."""
    installation = current_installation(app)
    daily: list[tuple[str, Task, float]] = [
        ("what is due daily", once, EVERY),
        ("list", read_list, EVERY),
    ]
    if installation.settings.overlooked_mail and installation.points.mailers:
        daily.append(("overlooked screenings", tell_overlooked, EVERY))
    tasks = [] if only_outbox else daily
    if installation.settings.outbox_in_server or only_outbox:
        names = ("printing", *(job_kind.label for job_kind in installation.points.job_kinds))
        tasks += zip(names, of_outbox(app), repeat(LOOK_EVERY), strict=False)
    busy = [threading.Lock() for _ in tasks]

    def begin() -> None:
        installation.asleep = []  # whoever forked may have held the lock within an old one
        installation.rounds = {}
        for (name, task, every), lock in zip(tasks, busy, strict=True):
            asked = threading.Event()
            if task not in (once, read_list, tell_overlooked):
                installation.asleep.append(asked)
            thread = threading.Thread(
                target=run, args=(app, task, every, lock, asked), name=name, daemon=True
            )
            installation.rounds[thread] = time.monotonic()
            thread.start()

    def before_fork() -> None:
        # A server that loads the application before it forks: no connection may be open then,
        # SQLite's least of all.
        for lock in busy:
            lock.acquire()
        with app.app_context():
            db.engine.dispose()

    def release() -> None:
        for lock in busy:
            lock.release()

    def begin_in_child() -> None:
        release()
        installation.worklist.forget()
        begin()

    os.register_at_fork(before=before_fork, after_in_parent=release, after_in_child=begin_in_child)
    begin()


def run(app: Flask, task: Task, every: float, lock: threading.Lock, asked: threading.Event) -> None:
    """Do a task again and again: every so many seconds, or when asked. No fault ends it."""
    while True:
        asked.clear()
        more = True
        while more:
            current_installation(app).note_progress()
            try:
                with lock:  # for each piece of work: a fork need not wait for all of it
                    more = task(app)
            except BaseException as err:  # noqa: BLE001 - nobody would begin this thread again
                log.error("background: %s", type(err).__name__)
                more = False
            if more and task is read_list:
                # let whoever uses a page go first; without the lock, so that no fork waits
                time.sleep(SHORTLY)
        current_installation(app).rounds[threading.current_thread()] = inf  # a pause is not stuck
        asked.wait(every)


def fault(installation: Installation, *, now: float) -> str:
    """Return in words which thread has ended or is stuck at `now` (monotonic), or ""."""
    for thread, since in installation.rounds.items():
        if not thread.is_alive():
            return f"the thread for {thread.name} has ended"
        if now - since > STUCK_AFTER:
            words = f"the thread for {thread.name} ({thread.ident:#018x})"
            return f"{words} has made no progress for {now - since:.0f} seconds"
    return ""


def once(app: Flask) -> bool:
    """Do what is due daily; never is anything left.

    A failure is logged, without anything personal.
    """

    def work(installation: Installation) -> bool:
        try:
            actor = Actor(
                session=db.session, keys=installation.keys, now=datetime.now(UTC), by="server"
            )
            if folder := installation.settings.audit_head_folder:
                _copy_head(installation, folder)
            days = installation.settings.retention_days
            retention.daily(actor, this_machine(), days=days, progress=installation.note_progress)
        except ClockInDoubt:
            log.warning(
                "%s",
                as_called("background: nothing is deleted, the clock jumped; see flask doctor"),
            )
        return False

    return _logged(app, "background", work)


def _copy_head(installation: Installation, folder: str) -> None:
    """Note the end of the audit log elsewhere; what else is due does not wait for that."""
    try:
        audit.copy_head(db.session, installation.keys, folder)
    except OSError as err:
        log.error("background: the end of the audit log is not noted: %s", type(err).__name__)


def read_list(app: Flask) -> bool:
    """Read a part of the list of screenings, once in each process. Return whether more is left."""

    def work(installation: Installation) -> bool:
        zone = installation.settings.clinic_timezone
        list_ = installation.worklist
        with list_.current(
            db.session,
            installation.keys,
            timezone=zone,
            today=installation.today(),
            patience=SHORTLY,
        ):
            return not list_.is_whole

    return _logged(app, "background", work)


def tell_overlooked(app: Flask) -> bool:
    """Tell the clinic by mail how many screenings are overlooked; never is anything left."""

    def work(installation: Installation) -> bool:
        actor = Actor(
            session=db.session, keys=installation.keys, now=datetime.now(UTC), by="server"
        )
        overlooked.tell(actor, installation, installation.points.mailers[0])
        return False

    return _logged(app, "background", work)


def of_outbox(app: Flask) -> list[Task]:
    """Return the tasks that empty the outbox, one for each kind of job: none waits for another."""
    others = [
        partial(do_one, job_kind=job_kind)
        for job_kind in current_installation(app).points.job_kinds
    ]
    return [print_one, *others]


def print_one(app: Flask) -> bool:
    """Print one summary; whether there may be another.

    What fails is noted in the outbox, or at least logged.
    """

    def work(installation: Installation) -> bool:
        printed = installation.printer.work(now=datetime.now(UTC))
        if printed:
            installation.wake()  # the other jobs about it can be done
        return printed

    return _logged(app, "outbox", work)


def do_one(app: Flask, job_kind: JobKind) -> bool:
    """Do one job of a kind; tell whether there may be another."""
    return _logged(app, "outbox", lambda _ours: job_kind.work(datetime.now(UTC)))


def _logged(app: Flask, part: str, work: Callable[[Installation], bool]) -> bool:
    try:
        with app.app_context():  # its end can fail too, where the connection has broken
            return work(current_installation(app))
    except Exception as err:  # noqa: BLE001 - whatever failed, the server goes on and tries again
        log.error("%s: %s", part, type(err).__name__)
        return False


def empty_outbox(app: Flask) -> None:
    """Do all that is due."""
    for task in of_outbox(app):  # the other jobs need the printed summary
        while task(app):
            pass
