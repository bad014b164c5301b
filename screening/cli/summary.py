"""`flask summary`: print the summary of a stored screening, or write its PDF."""

from pathlib import Path

import click

from screening.cli.common import (
    WRITABLE,
    acting,
    commands,
    fail,
    on_a_ready_installation,
    write_file,
)
from screening.installation import installation
from screening.services import printing, review
from screening.storage import screenings
from screening.storage.search import normal_reference


@commands.command()
@click.argument("reference")
@click.option("--pdf", type=WRITABLE, help="Write the summary to this file.")
@on_a_ready_installation()
def summary(reference: str, pdf: Path | None) -> None:
    """Print the summary of the screening with this REFERENCE, such as 7F3K-9QWD."""
    here = installation()
    reference = normal_reference(reference)
    try:
        screening = review.view(acting(), reference, action="printed")
    except screenings.NoSuchScreening:
        fail(f"There is no screening {reference}; check the reference")
    content = here.printer.summary(screening)
    click.echo(f"{content.reference}  {content.submitted}  check code {content.check_code}")
    click.echo(f"{content.headline}. {content.sentence}")
    if pdf is not None:
        try:
            write_file(pdf, here.printer.pdf(reference))
        except printing.NotPrinted as err:
            fail(f"The PDF could not be made: {err}. See: flask outbox list")
