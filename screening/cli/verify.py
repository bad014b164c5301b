"""`flask verify`: verify everything that is stored."""

import click

from screening.cli.common import commands, current_actor, fail, on_a_ready_installation, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating.verify import faults_of
from screening.storage import audit as audit_log
from screening.storage import checksums, screenings
from screening.storage.database import write


@commands.command()
@click.option(
    "--accept",
    is_flag=True,
    help="Take the rows of all tables as they are from now on, after a fault was looked into.",
)
@on_a_ready_installation()
def verify(accept: bool) -> None:
    """Verify database files, keys, the audit chain, and each screening by a new assessment."""
    installation = current_installation()
    keys = installation.keys
    folder = installation.settings.audit_head_folder
    with progress("Assessing again") as update:
        faults = list(faults_of(db.session, keys, update, head_folder=folder))
    if accept:
        with write(db.session):
            audit_log.take_as_it_is(current_actor(), checksums.names())
        click.echo("The rows of all tables are taken as they are from now on; the log says so.")
    if faults:
        fail(*faults)
    if folder:
        try:
            audit_log.copy_head(db.session, keys, folder)
        except OSError as err:
            fail(f"The end of the audit log cannot be noted in {folder}: {err.strerror}")
    total = screenings.count(db.session)
    rows = audit_log.size(db.session)
    click.echo(f"All is as it was stored: {total} screenings, {rows} audit rows, keys fit.")
    click.echo(f"The end of the audit log: {audit_log.head(db.session, keys)}")
