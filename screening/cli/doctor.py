"""`flask doctor`: say on one page what is well and what is not."""

import click

from screening.cli.common import (
    commands,
)
from screening.operating.doctor import examined
from screening.settings import as_called


@commands.command()
def doctor() -> None:
    """Say on one page what is well and what is not. Exit code 1 where something is not."""
    well = True
    for ok, what, words in examined():
        well = well and ok is not False
        note = (
            click.style("note ", fg="yellow")
            if ok is None
            else click.style("FAULT", fg="red", bold=True)
        )
        mark = click.style("ok   ", fg="green") if ok else note
        click.echo(f"{mark}  {what}: {as_called(words)}")
    raise SystemExit(0 if well else 1)
