"""`flask backup`: copy the database while the application runs."""

from pathlib import Path

import click

from screening.cli.common import commands, current_actor, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import backup as copies
from screening.storage.database import check_keys


@commands.command()
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the whole database to the new file TARGET while the application runs.

    The keys are not in it.
    """
    installation = current_installation()
    check_keys(db.session, installation.keys)  # the tables may be those of any release
    current_actor().note_at_once("backup begun", detail=target.name)
    with progress("Copying") as update:
        removed = copies.backup(db.engine, installation.keys, target, update)
    current_actor().note_at_once("backed up", detail=target.name)
    for left_over in removed:
        click.echo(f"Removed {left_over}: a backup that was ended before it was whole.", err=True)
    click.echo(
        f"Wrote {target} ({target.stat().st_size} bytes), and read it. "
        f"Keep {installation.key_file} apart from it."
    )
