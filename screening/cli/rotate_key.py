"""`flask rotate-key`: make a new data key and seal everything anew with it."""

import click

from screening.cli.common import commands, current_actor, on_a_ready_installation, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating.rotate_key import forget as forget_old_keys
from screening.operating.rotate_key import left, seal_anew
from screening.settings import as_called
from screening.storage.database import note_keys, write
from screening.storage.encryption import only_current, with_new_key, write_keys


@commands.command("rotate-key")
@click.option(
    "--forget",
    is_flag=True,
    help="Afterwards forget the old keys: backups made before cannot be read then.",
)
@on_a_ready_installation()
def rotate_key(forget: bool) -> None:
    """Make a new data key and seal everything anew with it.

    May be interrupted: run it again to go on.
    """
    installation = current_installation()
    total = left(db.session, installation.keys)
    if not total and not (forget and len(installation.keys.data) > 1):
        write_keys(installation.key_file, with_new_key(installation.keys), instead=True)
        installation.keys.follow()
        total = left(db.session, installation.keys)
    with write(db.session):
        note_keys(db.session, installation.keys)
    done = 0
    with progress("Sealing anew") as update:
        for count in seal_anew(db.session, installation.keys):
            done += count
            update(done, max(total, done))
    current_actor().note_at_once("key rotated", detail=installation.keys.current)
    if forget:
        current_key = only_current(installation.keys)
        forget_old_keys(
            db.session,
            installation.keys,
            lambda: write_keys(installation.key_file, current_key, instead=True),
        )
        installation.keys.follow()
    click.echo(
        f"{done} rows are sealed with {installation.keys.current} now. "
        f"Copy {installation.key_file} to its safe place again."
    )
    if forget:
        click.echo("Make a backup now: those made before cannot be restored any more.")
    elif len(installation.keys.data) > 1:
        command = as_called("`flask rotate-key --forget`")
        click.echo(f"Old keys stay in it for the backups made before; {command} drops them.")
