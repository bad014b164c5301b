"""Pages for monitoring: liveness, readiness, metrics. They have nothing about a person."""

import hmac
import logging
import time
from datetime import UTC, datetime, timedelta

from flask import Blueprint, abort, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from screening import background
from screening.extension_points import Counter
from screening.extensions import db
from screening.installation import Installation, current_installation
from screening.operating import overlooked
from screening.settings import LOOPBACK, as_called
from screening.storage import audit, waiting_times
from screening.storage.audit import Actor
from screening.storage.database import DatabaseNotReady, check_keys, check_release, prove_writable
from screening.storage.private_files import KeyFault, read_private

blueprint = Blueprint("health", __name__)
log = logging.getLogger("screening")

Plain = tuple[str, int, dict[str, str]]
RECENT = timedelta(hours=1)
SUBMITS = Counter("submits", "screenings sent, ever", "submitted")
PROVED_EVERY = 5.0  # seconds between test writes: frequent requests must not load the disk


def _plain(text: str, status: int = 200) -> Plain:
    return text, status, {"Content-Type": "text/plain; charset=utf-8"}


@blueprint.get("/healthz")
def alive() -> Plain:
    """Answer 200."""
    return _plain("ok\n")


@blueprint.get("/readyz")
def ready() -> Plain:
    """Answer 200 while keys, database and release fit, writing works and the threads run.

    The log records why the answer is 503.
    """
    ours = current_installation()
    now = time.monotonic()
    try:
        check_keys(db.session, ours.keys)
        check_release(db.session)
        if fault := _write_fault(ours, now) or background.fault(ours, now=now):
            raise DatabaseNotReady(fault)
    except (KeyFault, DatabaseNotReady) as err:
        log.error("not ready: %s", as_called(str(err)))
    except (SQLAlchemyError, OSError) as err:
        log.error("not ready: %s", type(err).__name__)
    else:
        return _plain("ready\n")
    return _plain("not ready\n", 503)


def _write_fault(ours: Installation, now: float) -> str:
    """Return why nothing can be written, or "". Between two test writes the last result holds."""
    tried, fault = ours.write_proved
    if now - tried >= PROVED_EVERY:
        ours.write_proved = (now, fault)  # so that no other thread tests at the same time
        try:
            prove_writable(db.session)
            fault = ""
        except SQLAlchemyError as err:
            fault = f"nothing can be written: {type(err).__name__}"
        ours.write_proved = (now, fault)
    return fault


@blueprint.get("/metrics")
def metrics() -> Plain:
    """Return metrics for Prometheus, to this machine or for the token in `metrics.token`."""
    if not (_is_on_this_machine() or _has_token()):
        abort(404)
    now = datetime.now(UTC)
    ours = current_installation()
    figures = current_app.jinja_env.get_template("text/metrics.txt").render(
        counted=[
            (counter, audit.count(db.session, counter.action, after=0))
            for counter in (SUBMITS, *ours.points.counters)
        ],
        overlooked=overlooked.read(
            Actor(session=db.session, keys=ours.keys, now=now, by="metrics"), ours, patience=0
        ),
        queues=waiting_times.queues(db.session, ours.jobs_of_sent, now=now),
        taken=waiting_times.print_times(db.session, since=now - RECENT),
    )
    return _plain(figures)


def _is_on_this_machine() -> bool:
    # A request that a proxy on this machine forwards comes from another machine.
    headers = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
    is_forwarded = any(name in request.headers for name in headers)
    return request.remote_addr in LOOPBACK and not is_forwarded


def _has_token() -> bool:
    file = current_installation().settings.instance / "metrics.token"
    if not file.exists():
        return False
    sent = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(sent, f"Bearer {read_private(file).strip()}".encode())
