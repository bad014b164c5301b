"""`flask drill`: try the newest backup beside the live data."""

from pathlib import Path

import click
from pydantic import SecretStr

from screening.cli.common import commands, current_actor, on_a_ready_installation, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import drill as drills
from screening.operating.backup import CannotCopy, restore
from screening.storage.private_files import KeyFault


@commands.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--database", default="", help="URL of an empty PostgreSQL database to restore into.")
@on_a_ready_installation()
def drill(folder: Path, database: str) -> None:
    """Restore the newest backup in FOLDER beside the live data, verify it, and delete it again.

    It is restored into the instance folder, or, where the data are in PostgreSQL, into --database.
    """
    installation = current_installation()
    keys = installation.keys
    settings = installation.settings.model_copy(update={"database_url": SecretStr(database)})
    url = database and settings.database
    try:
        source = drills.newest(db.session, folder)
        db.session.rollback()  # no transaction of the live data stays open
        with drills.empty_place(db.engine, settings.instance, url, source) as engine:
            with progress("Copying") as copied:
                restore(engine, keys, source, copied)
            with progress("Assessing again") as assessed:
                faults = list(drills.faults(db.session, keys, engine, source.name, assessed))
        if faults:
            raise CannotCopy("\n".join([f"{source} is not what was stored:", *faults]))
    except Exception as err:
        reason = str(err) if isinstance(err, CannotCopy | KeyFault) else type(err).__name__
        current_actor().note_at_once(drills.FAILED, detail=reason.partition("\n")[0])
        raise
    current_actor().note_at_once(drills.PASSED, detail=source.name)
    click.echo(f"{source} can be restored and has all that was stored when it was made.")
