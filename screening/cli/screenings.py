"""`flask screen | summary | export`: from answers to the prescriber's page, on the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from screening.cli.common import (
    READABLE,
    WRITABLE,
    acting,
    commands,
    fail,
    on_a_ready_installation,
    progress,
)
from screening.domain.assessment import Assessment, Screening
from screening.domain.case import InvalidCase, read_case
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, RuleBook
from screening.extensions import db, installation
from screening.reports import fhir, spreadsheet
from screening.reports.pdf import print_summary
from screening.reports.press import PrintingFailed, press
from screening.reports.summary import Summary, summarise
from screening.services import export as export_service
from screening.services import printing, review
from screening.storage import screenings
from screening.storage.encryption import new_file
from screening.storage.search import normal_reference
from screening.storage.tables import ScreeningRow


@commands.command()
@click.argument("answers", type=READABLE)
@click.option("--pdf", type=WRITABLE, help="Write the summary to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the assessment as JSON.")
def screen(answers: Path, pdf: Path | None, as_json: bool) -> None:
    """Evaluate one file of ANSWERS (JSON) without a web server or database.

    Exit code 0: evaluated, whatever the outcome. 1: the file is at fault; every fault is printed.
    2: wrong usage.
    """
    here = installation()
    if pdf is not None:
        press().begin()  # loads what it needs while the answers are read
    try:
        content = json.loads(answers.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
        case = read_case(here.books, content, today=here.today())
    except (OSError, ValueError, RecursionError) as err:
        fail(f"{answers}: not a readable JSON file in UTF-8: {err}")
    except InvalidCase as err:
        fail(*(f"{answers}: {fault}" for fault in err.faults))
    book = here.approved_books[case.language]
    assessment = evaluate(book, case.answers)
    if as_json:
        click.echo(json.dumps(_assessment_json(assessment, book), ensure_ascii=False, indent=2))
    else:
        click.echo(f"Outcome: {assessment.outcome.word}")
        for finding in assessment.findings:
            click.echo(
                f"- {finding.severity.word}: {finding.title}. {finding.reason} [{finding.citations}]"
            )
    if pdf is not None:
        screening = Screening(
            reference="",
            submitted_at=datetime.now(UTC),
            language=case.language,
            patient=case.patient,
            answers=case.answers,
            digest=book.edition.digest,
        )
        _write_pdf(pdf, summarise(screening, here.approved_books, here.settings))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object in which no key stands twice: which of two answers holds must not be guessed."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(
            f"these keys stand there twice: {', '.join(sorted({k for k in keys if keys.count(k) > 1}))}"
        )
    return found


@commands.command()
@click.argument("reference")
@click.option("--pdf", type=WRITABLE, help="Write the summary to this file.")
@on_a_ready_installation()
def summary(reference: str, pdf: Path | None) -> None:
    """Hand over the summary of the screening with this REFERENCE, such as 7F3K-9QWD."""
    here = installation()
    reference = normal_reference(reference)
    try:
        screening = review.view(acting(), reference, action="printed")
    except screenings.NoSuchScreening:
        fail(f"There is no screening {reference}; check the reference")
    made = here.printer.summary(screening)
    click.echo(f"{made.reference}  {made.submitted}  check code {made.check_code}")
    click.echo(f"{made.headline}. {made.sentence}")
    if pdf is not None:
        try:
            _write(pdf, here.printer.pdf(reference))
        except printing.NotPrinted as err:
            fail(f"The PDF could not be made: {err}. See: flask outbox list")


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
    """Write screenings to the new file TARGET: a table (CSV), or FHIR R4 Bundles, one on each line (NDJSON)."""
    here = installation()
    since = since.replace(tzinfo=UTC)
    book = here.approved_books[BASE_LANGUAGE]
    total = screenings.count(db.session, ScreeningRow.submitted_at >= since)
    try:
        with new_file(target, encoding=spreadsheet.ENCODING if kind == "csv" else "utf-8") as file:
            found = export_service.export(acting(), since=since, kind=kind)
            columns = spreadsheet.columns(book)
            if kind == "csv":
                spreadsheet.write_row(file, columns)
            with progress("Exporting") as tell:
                for done, (screening, assessment, books) in enumerate(found, start=1):
                    if kind == "csv":
                        row = spreadsheet.row(screening, assessment, books[BASE_LANGUAGE])
                        spreadsheet.write_row(file, (row.get(column, "") for column in columns))
                    else:
                        made = fhir.bundle(
                            screening, assessment, books, base=here.settings.fhir_base
                        )
                        file.write(f"{json.dumps(made, ensure_ascii=False)}\n")
                    tell(done, total)
    except OSError as err:
        fail(f"{target} cannot be written: {err.strerror}")
    click.echo(f"Wrote {target}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.touch(mode=0o600)  # health data: nobody else may read a file that is made here
        path.chmod(0o600)
        path.write_bytes(content)
    except OSError as err:
        fail(f"{path} cannot be written: {err.strerror}")
    click.echo(f"Wrote {path} ({len(content)} bytes)", err=True)


def _write_pdf(path: Path, made: Summary) -> None:
    try:
        printed, missing = print_summary(made, paper=installation().settings.paper)
    except PrintingFailed as err:
        fail(f"The PDF could not be made: {err}")
    _write(path, printed)
    if missing:
        points = ", ".join(f"U+{ord(character):04X}" for character in sorted(missing))
        click.echo(
            f"No font has these characters, the page shows their code points: {points}", err=True
        )


def _assessment_json(assessment: Assessment, book: RuleBook) -> dict[str, object]:
    return {
        "outcome": assessment.outcome.word,
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.word,
                "title": finding.title,
                "reason": finding.reason,
                "cites": [fact.id for fact in finding.cites],
            }
            for finding in assessment.findings
        ],
        "edition": {
            "id": book.edition.id,
            "version": book.edition.version,
            "digest": book.edition.digest,
            "approved_by": [one.by for one in book.edition.approvals],
        },
    }
