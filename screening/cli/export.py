"""`flask export`: write screenings as a table or as FHIR."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from screening.cli.common import (
    WRITABLE,
    commands,
    current_actor,
    fail,
    on_a_ready_installation,
    progress,
)
from screening.domain.rules import BASE_LANGUAGE
from screening.extensions import db
from screening.installation import current_installation
from screening.reports import fhir, spreadsheet
from screening.services import export as export_service
from screening.storage import screenings
from screening.storage.private_files import new_file
from screening.storage.tables import ScreeningRow


@commands.command()
@click.argument("target", type=WRITABLE)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="Sent on this day or later (UTC).",
)
@click.option(
    "--format", "kind", type=click.Choice(["csv", "fhir"]), default="csv", show_default=True
)
@on_a_ready_installation()
def export(target: Path, since: datetime, kind: str) -> None:
    """Write screenings to the new file TARGET: a table (CSV), or FHIR R4 Bundles (NDJSON)."""
    installation = current_installation()
    since = since.replace(tzinfo=UTC)
    book = installation.approved_books[BASE_LANGUAGE]
    total = screenings.count(db.session, ScreeningRow.submitted_at >= since)
    try:
        with new_file(target, encoding=spreadsheet.ENCODING if kind == "csv" else "utf-8") as file:
            screened = export_service.export(current_actor(), since=since, kind=kind)
            columns = spreadsheet.columns(book)
            if kind == "csv":
                spreadsheet.write_row(file, columns)
            with progress("Exporting") as update:
                for done, (screening, assessment, books) in enumerate(screened, start=1):
                    if kind == "csv":
                        row = spreadsheet.row(screening, assessment, books[BASE_LANGUAGE])
                        spreadsheet.write_row(file, (row.get(column, "") for column in columns))
                    else:
                        bundle = fhir.bundle(
                            screening, assessment, books, base=installation.settings.fhir_base
                        )
                        file.write(f"{json.dumps(bundle, ensure_ascii=False)}\n")
                    update(done, total)
    except OSError as err:
        fail(f"{target} cannot be written: {err.strerror}")
    click.echo(f"Wrote {target}")
