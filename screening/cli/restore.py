"""`flask restore`: restore a backup into an empty database."""

from pathlib import Path

import click

from screening.cli.common import READABLE, commands, current_actor, fail, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import backup as copies
from screening.settings import as_called
from screening.storage import audit as audit_log
from screening.storage import screenings


@commands.command()
@click.argument("source", type=READABLE)
def restore(source: Path) -> None:
    """Restore the backup SOURCE into an empty database, with its data.key in the instance folder.

    Then run: flask init; flask verify.
    """
    installation = current_installation()
    if not installation.key_file.exists():
        key_file = installation.key_file
        fail(f"Put your copy to {key_file} first: without that key the backup cannot be read")
    with progress("Copying") as update:
        copies.restore(db.engine, installation.keys, source, update)
    noted, end = audit_log.begin_anew(
        current_actor(), source.name, installation.settings.audit_head_folder
    )
    total = screenings.count(db.session)
    click.echo(as_called(f"Restored {total} screenings. Now run: flask init; flask verify"))
    if noted.number > end.number:
        click.echo(
            f"The audit log here went to row {noted.number}, that of the backup to {end.number}."
        )
    click.echo(
        as_called(
            "Whoever was disabled since the copy was made can sign in again: see flask people list"
        )
    )
