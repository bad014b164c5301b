"""`flask outbox | signing-key`: what is still to be printed, and the key that signs it."""

import time
from datetime import UTC, datetime

import click
from flask import current_app

from screening.background import empty_outbox
from screening.cli.common import acting, commands, fail, on_a_ready_installation
from screening.extensions import db, installation
from screening.reports.signature import CannotSign, Signature, new_key
from screening.services import printing
from screening.storage import outbox as jobs
from screening.storage.encryption import write_private

LOOK_EVERY = 2.0  # seconds


@commands.group()
def outbox() -> None:
    """What is still to be done about screenings that were sent: printing their summaries."""


@outbox.command("run")
@click.option("--once", is_flag=True, help="End when nothing is due, instead of waiting for more.")
def outbox_run(once: bool) -> None:
    """Do what is due, until stopped. The server does so by itself unless outbox_in_server is false."""
    with on_a_ready_installation():
        empty_outbox(current_app)
        while not once:
            time.sleep(LOOK_EVERY)
            empty_outbox(current_app)
        db.session.rollback()  # to see what was done meanwhile
        left = jobs.waiting(db.session)
        click.echo(f"{len(left)} jobs wait, {sum(job.failed for job, _reference in left)} of them failed.")


@outbox.command("list")
def outbox_list() -> None:
    """Print each job that is not done: reference, what, edition, attempts, when it is due, last failure."""
    with on_a_ready_installation():
        for job, reference in jobs.waiting(db.session):
            state = "failed" if job.failed else f"due {job.due_at:%Y-%m-%d %H:%M:%S} UTC"
            what = f"{reference}  {job.kind}, edition {job.number + 1}"
            click.echo(f"{what}  attempts {job.attempts}  {state}  {job.fault}".rstrip())


@outbox.command("retry")
@click.argument("references", nargs=-1)
def outbox_retry(references: tuple[str, ...]) -> None:
    """Let what failed be tried again: about the screenings with these REFERENCES, or about all."""
    with on_a_ready_installation():
        click.echo(f"{printing.retry(acting(), list(references))} jobs will be tried again.")


@commands.group("signing-key")
def signing_key() -> None:
    """The key that signs PDFs, in signing.pem in the instance folder."""


@signing_key.command("create")
def signing_key_create() -> None:
    """Make a key (EC P-256) with a certificate that it signs itself. From then on each PDF is signed.

    To use a certificate of an authority instead, write its key and then its certificates into signing.pem (mode 0600).
    """
    here = installation()
    try:
        write_private(here.signing_file, new_key(here.settings.clinic_name, now=datetime.now(UTC)))
    except FileExistsError:
        fail(f"{here.signing_file} is there already and stays; move it away first if you want a new one")
    except OSError as err:
        fail(f"{here.signing_file} cannot be written: {err.strerror}; run `flask init` first")
    _show(here.signature)


@signing_key.command("show")
def signing_key_show() -> None:
    """Print whose certificate it is, until when it holds, and its fingerprint, to be compared with a PDF reader's."""
    _show(installation().signature)


def _show(signature: Signature | None) -> None:
    if signature is None:
        fail("There is no key, PDFs are not signed; run: flask signing-key create")
    try:
        click.echo(signature.described)
    except CannotSign as err:
        fail(str(err))
