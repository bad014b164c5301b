"""`flask verify`: prove what is stored."""

import click

from screening.cli.common import (
    commands,
    fail,
    on_a_ready_installation,
    progress,
)
from screening.extensions import db
from screening.installation import installation
from screening.operating.verify import faults_of
from screening.storage import audit as audit_log
from screening.storage import screenings


@commands.command()
@on_a_ready_installation()
def verify() -> None:
    """Prove what is stored: database files, keys, audit chain, and every screening by assessing it again."""
    keys = installation().keys
    with progress("Assessing again") as tell:
        faults = list(faults_of(db.session, keys, tell))
    if faults:
        fail(*faults)
    total = screenings.count(db.session)
    rows = audit_log.size(db.session)
    click.echo(f"All is as it was stored: {total} screenings, {rows} audit rows, keys fit.")
