"""`flask screen`: evaluate a file of answers without a database."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from screening.cli.common import READABLE, WRITABLE, commands, fail, write_file
from screening.domain.assessment import Assessment, Screening
from screening.domain.case import InvalidCase, read_case
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook
from screening.installation import current_installation
from screening.printing.pdf import print_summary
from screening.printing.renderer_process import PrintingFailed
from screening.reports.summary import Summary, summarise


@commands.command()
@click.argument("answers", type=READABLE)
@click.option("--pdf", type=WRITABLE, help="Write the summary to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the assessment as JSON.")
def screen(answers: Path, pdf: Path | None, as_json: bool) -> None:
    """Evaluate one file of ANSWERS (JSON) without a web server or database.

    Exit code 0: evaluated, with any outcome. 1: the file is at fault; every fault is printed.
    2: wrong usage.
    """
    installation = current_installation()
    try:
        content = json.loads(answers.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
        case = read_case(installation.books, content, today=installation.today())
    except (OSError, ValueError, RecursionError) as err:
        fail(f"{answers}: not a readable JSON file in UTF-8: {err}")
    except InvalidCase as err:
        fail(*(f"{answers}: {fault}" for fault in err.faults))
    book = installation.approved_books[case.language]
    assessment = evaluate(book, case.answers)
    if as_json:
        click.echo(json.dumps(_assessment_json(assessment, book), ensure_ascii=False, indent=2))
    else:
        click.echo(f"Outcome: {assessment.outcome.word}")
        for finding in assessment.findings:
            words = f"{finding.severity.word}: {finding.title}. {finding.reason}"
            click.echo(f"- {words} [{finding.citations}]")
    if pdf is not None:
        screening = Screening(
            reference="",
            submitted_at=datetime.now(UTC),
            language=case.language,
            patient=case.patient,
            answers=case.answers,
            digest=book.edition.digest,
        )
        _write_pdf(pdf, summarise(screening, installation.approved_books, installation.settings))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object. Raises ValueError where a key is in it twice: no answer is guessed."""
    keys = [key for key, _value in pairs]
    doubles = sorted({key for key in keys if keys.count(key) > 1})
    if doubles:
        raise ValueError(f"these keys stand there twice: {', '.join(doubles)}")
    return dict(pairs)


def _write_pdf(path: Path, summary: Summary) -> None:
    try:
        content, missing = print_summary(summary, paper=current_installation().settings.paper)
    except PrintingFailed as err:
        fail(f"The PDF could not be made: {err}")
    write_file(path, content)
    if missing:
        points = ", ".join(f"U+{ord(character):04X}" for character in sorted(missing))
        words = "No font has these characters, the page shows their code points"
        click.echo(f"{words}: {points}", err=True)


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
            "approved_by": [approval.by for approval in book.edition.approvals],
        },
    }
