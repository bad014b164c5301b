"""`flask purge`: delete screenings at the end of their retention period, and expired drafts."""

import click

from screening.cli.common import commands, current_actor, fail, on_a_ready_installation, progress
from screening.installation import current_installation
from screening.operating import retention
from screening.operating.clock import ClockInDoubt, this_machine


@commands.command()
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@on_a_ready_installation()
def purge(dry_run: bool) -> None:
    """Delete screenings kept for longer than retention_days, and drafts that expired.

    The server does so daily.
    """
    installation = current_installation()
    days = installation.settings.retention_days
    if dry_run:
        due = retention.due(current_actor(), days=days)
        unread = sum(not seen for _reference, seen in due)
        click.echo(f"{len(due)} screenings would be deleted, {unread} never opened:")
        click.echo("\n".join(reference for reference, _seen in due))
        return
    try:
        with progress("Deleting") as update:
            deleted, unread, _left = retention.purge(
                current_actor(), this_machine(), days=days, progress=update
            )
    except ClockInDoubt:
        fail(
            "Nothing was deleted: the clock jumped. See flask doctor; set it right, then: "
            "flask confirm-clock"
        )
    click.echo(
        f"Deleted {deleted} screenings older than {days} days, {unread} of them never opened."
    )
