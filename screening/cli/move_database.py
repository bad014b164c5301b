"""`flask move-database`: move everything from SQLite to PostgreSQL."""

import click
from pydantic import SecretStr

from screening.cli.common import commands, current_actor, on_a_ready_installation, progress
from screening.extensions import db
from screening.installation import current_installation
from screening.operating.move_database import move
from screening.settings import FILE_NAME, as_called


@commands.command("move-database")
@click.argument("url")
@on_a_ready_installation()
def move_database(url: str) -> None:
    """Move everything from SQLite to the PostgreSQL database URL.

    Run `flask init` there first, with these keys. Stop the server first. The SQLite file stays,
    closed for writing.
    """
    installation = current_installation()
    actor = current_actor()
    target = installation.settings.model_copy(update={"database_url": SecretStr(url)})
    with progress("Moving") as update:
        rows = move(
            db.engine,
            target.database,
            installation.keys,
            now=actor.now,
            by=actor.by,
            progress=update,
        )
    click.echo(
        f"Moved {rows} rows; each was compared, and keys and audit chain fit. "
        "Nothing is written here any more."
    )
    file = installation.settings.instance / FILE_NAME
    click.echo(as_called(f"Now set database_url in {file}, run flask verify, start the server."))
