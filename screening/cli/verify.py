"""`flask verify`: verify everything that is stored."""

import click

from screening.cli.common import commands, fail, on_a_ready_installation, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating.verify import faults_of
from screening.storage import audit as audit_log
from screening.storage import screenings


@commands.command()
@on_a_ready_installation()
def verify() -> None:
    """Verify database files, keys, the audit chain, and each screening by a new assessment."""
    keys = current_installation().keys
    with progress("Assessing again") as update:
        faults = list(faults_of(db.session, keys, update))
    if faults:
        fail(*faults)
    total = screenings.count(db.session)
    rows = audit_log.size(db.session)
    click.echo(f"All is as it was stored: {total} screenings, {rows} audit rows, keys fit.")
