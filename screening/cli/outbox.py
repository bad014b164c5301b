"""`flask outbox`: what is still to be printed and delivered."""

import time

import click
from flask import current_app

from screening import background
from screening.cli.common import acting, commands, fail, on_a_ready_installation
from screening.extensions import db
from screening.installation import installation
from screening.services import jobs
from screening.storage.database import prove_writable
from screening.storage.outbox import waiting

WATCH_EVERY = 5.0  # seconds


@commands.group()
def outbox() -> None:
    """What is still to be done about screenings that were sent: printing and delivering their summaries."""


@outbox.command("run")
@click.option("--once", is_flag=True, help="End when nothing is due, instead of waiting for more.")
@on_a_ready_installation()
def outbox_run(once: bool) -> None:
    """Do what is due, until stopped. The server does so by itself unless outbox_in_server is false.

    On PostgreSQL it may run on any number of machines at once.
    """
    if not once:
        background.start(current_app._get_current_object(), only_outbox=True)  # type: ignore[attr-defined]
        db.session.rollback()  # no transaction stays open meanwhile
        while not (fault := background.fault(installation(), now=time.monotonic())):
            time.sleep(WATCH_EVERY)
        fail(f"{fault}; start this command again, as systemd does")
    prove_writable(db.session)  # what fails in the background is only logged
    background.empty_outbox(current_app)
    db.session.rollback()  # to see what was done meanwhile
    left = waiting(db.session)
    click.echo(
        f"{len(left)} jobs wait, {sum(job.failed for job, _reference in left)} of them failed."
    )


@outbox.command("list")
@on_a_ready_installation()
def outbox_list() -> None:
    """Print each job that is not done: reference, what, edition, attempts, when it is due, last failure."""
    for job, reference in waiting(db.session):
        state = "failed" if job.failed else f"due {job.due_at:%Y-%m-%d %H:%M:%S} UTC"
        what = f"{reference}  {job.kind}, edition {job.number + 1}"
        click.echo(f"{what}  attempts {job.attempts}  {state}  {job.fault}".rstrip())


@outbox.command("retry")
@click.argument("references", nargs=-1)
@on_a_ready_installation()
def outbox_retry(references: tuple[str, ...]) -> None:
    """Let what failed be tried again: about the screenings with these REFERENCES, or about all."""
    click.echo(f"{jobs.retry(acting(), list(references))} jobs will be tried again.")
