"""`flask doctor`: print on one page what is well and what is not."""

import click

from screening.cli.common import commands
from screening.installation import current_installation
from screening.operating.doctor import examined
from screening.settings import as_called


@commands.command()
def doctor() -> None:
    """Print on one page what is well and what is not. Exit code 1 where something is not."""
    marks = {
        True: click.style("ok   ", fg="green"),
        None: click.style("note ", fg="yellow"),
        False: click.style("FAULT", fg="red", bold=True),
    }
    is_well = True
    for ok, subject, words in examined(current_installation()):
        is_well = is_well and ok is not False
        click.echo(f"{marks[ok]}  {subject}: {as_called(words)}")
    raise SystemExit(0 if is_well else 1)
