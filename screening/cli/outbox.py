"""`flask outbox`: the jobs that print and deliver summaries."""

import faulthandler
import time

import click
from flask import current_app

from screening import background
from screening.cli.common import commands, current_actor, fail, on_a_ready_installation
from screening.extensions import db
from screening.installation import current_installation
from screening.services import jobs
from screening.storage.database import prove_writable
from screening.storage.outbox import waiting

WATCH_EVERY = 5.0  # seconds


@commands.group()
def outbox() -> None:
    """Run, list and retry the jobs that print and deliver summaries."""


@outbox.command("run")
@click.option("--once", is_flag=True, help="End when nothing is due, instead of waiting for more.")
@on_a_ready_installation()
def outbox_run(once: bool) -> None:
    """Do the jobs that are due, until stopped.

    The server does so by itself unless outbox_in_server is false. On PostgreSQL any number of
    machines may run this at once.
    """
    if not once:
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        background.start(app, only_outbox=True)
        db.session.rollback()  # no transaction stays open while this waits
        while not (fault := background.fault(current_installation(), now=time.monotonic())):
            time.sleep(WATCH_EVERY)
        faulthandler.dump_traceback(2)  # to stderr, where each thread is
        fail(f"{fault}; start this command again, as systemd does")
    prove_writable(db.session)  # a fault in the background is only logged
    background.empty_outbox(current_app)
    db.session.rollback()  # a new transaction sees what was done
    jobs_left = waiting(db.session)
    failed = sum(job.failed for job, _reference in jobs_left)
    click.echo(f"{len(jobs_left)} jobs wait, {failed} of them failed.")


@outbox.command("list")
@on_a_ready_installation()
def outbox_list() -> None:
    """Print each job that is not done: reference, kind, edition, attempts, due time, last fault."""
    for job, reference in waiting(db.session):
        due = "failed" if job.failed else f"due {job.due_at:%Y-%m-%d %H:%M:%S} UTC"
        task = f"{reference}  {job.kind}, edition {job.number + 1}"
        click.echo(f"{task}  attempts {job.attempts}  {due}  {job.fault}".rstrip())


@outbox.command("retry")
@click.argument("references", nargs=-1)
@on_a_ready_installation()
def outbox_retry(references: tuple[str, ...]) -> None:
    """Retry the jobs that failed: those of the screenings with these REFERENCES, or all."""
    click.echo(f"{jobs.retry(current_actor(), list(references))} jobs will be tried again.")
