"""`flask audit`: verify the audit log, export it, print its end."""

from itertools import chain

import click

from screening.cli.common import commands, fail, on_a_ready_installation, print_table
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import audit as audit_log


@commands.group()
def audit() -> None:
    """Verify the audit log, export it, print its end."""


@audit.command("verify")
@click.option(
    "--head",
    default="",
    help="An end of the chain noted earlier; finds rows removed from the end too.",
)
@on_a_ready_installation()
def audit_verify(head: str) -> None:
    """Prove that no row was edited, removed, inserted or moved."""
    keys = current_installation().keys
    faults = list(audit_log.verify(db.session, keys, kept=head))
    if faults:
        fail(*faults)
    end = audit_log.head(db.session, keys)
    click.echo(f"The chain is whole: {audit_log.size(db.session)} rows. Its end: {end}")


@audit.command("head")
@on_a_ready_installation()
def audit_head() -> None:
    """Print the end of the chain, to be kept elsewhere."""
    click.echo(audit_log.head(db.session, current_installation().keys))


@audit.command("export")
@click.option(
    "--outcomes",
    is_flag=True,
    help="With what would tell the outcomes of screenings, such as channels: for prescribers only.",
)
@on_a_ready_installation()
def audit_export(outcomes: bool) -> None:
    """Write the log to standard output as CSV. It names staff and references, no patient."""
    keys = current_installation().keys
    columns = ("number", "at", "actor", "action", "subject", "detail", "mac")
    rows = (
        (
            row.number,
            row.at.isoformat(),
            row.actor,
            row.action,
            *(audit_log.opened(keys, row) if outcomes else audit_log.unopened(row)),
            row.mac.hex(),
        )
        for row in audit_log.rows(db.session)
    )
    print_table(chain([columns], rows), is_log=True)
