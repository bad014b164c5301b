"""`flask purge`: delete what is kept for longer than the clinic wants."""

import click

from screening.cli.common import (
    acting,
    commands,
    fail,
    on_a_ready_installation,
    progress,
)
from screening.installation import installation
from screening.operating import retention
from screening.operating.clock import ClockInDoubt, this_machine


@commands.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@on_a_ready_installation()
def purge(dry_run: bool) -> None:
    """Delete screenings kept for longer than retention_days, and drafts that expired.

    The server does so daily.
    """
    here = installation()
    days = here.settings.retention_days
    if dry_run:
        found = retention.due(acting(), days=days)
        click.echo(
            f"{len(found)} screenings would be deleted, {sum(not seen for _, seen in found)} never opened:"
        )
        click.echo("\n".join(reference for reference, _ in found))
        return
    try:
        with progress("Deleting") as tell:
            deleted, unread, _left = retention.purge(
                acting(), this_machine(), days=days, progress=tell
            )
    except ClockInDoubt:
        fail(
            "Nothing was deleted: the clock jumped. See flask doctor; set it right, then: flask confirm-clock"
        )
    click.echo(
        f"Deleted {deleted} screenings older than {days} days, {unread} of them never opened."
    )
