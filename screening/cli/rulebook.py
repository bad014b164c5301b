"""`flask rulebook`: check and show the rule book."""

import itertools
import json
from collections.abc import Iterator

import click

from screening.cli.common import commands, fail
from screening.domain.answers import read_answers
from screening.domain.evaluate import evaluate
from screening.domain.rules import Question, RuleBook
from screening.extensions import installation
from screening.reports.fhir_definitions import DEFINITIONS
from screening.reports.summary import citations


@commands.group()
def rulebook() -> None:
    """Check and show the rule book."""


@rulebook.command("check")
def rulebook_check() -> None:
    """Prove the rule book and its translations; print every fault. The application does not start with one."""
    books = installation().books
    edition = books["en"].edition
    click.echo(f"{edition.id} {edition.version} ({edition.status}) is sound. SHA-256 {edition.digest}")
    for language, book in books.items():
        click.echo(f"  {language}: {book.translation_status}")


@rulebook.command("show")
@click.option("--language", default="en", show_default=True)
def rulebook_show(language: str) -> None:
    """Print the questions, rules and facts for reading."""
    books = installation().books
    if language not in books:
        fail(f"There is no rule book in {language!r}; use one of: {', '.join(books)}")
    book = books[language]
    click.echo(f"{book.medicine.name} ({book.medicine.brand}), ATC {book.medicine.atc}")
    click.echo("\nQuestions")
    for item in book.asked():
        answers = " / ".join(option.id for option in item.options) or "own words"
        click.echo(f"  {item.id}: {item.ask} [{answers}]")
    click.echo("\nRules")
    for rule in book.rules:
        when = " and ".join(f"{asked} is {' or '.join(sorted(accepted))}" for asked, accepted in rule.when)
        of = rule.finding
        click.echo(f"  {of.rule}: when {when}: {of.severity.word}: {of.title} [{citations(of.cites)}]")
    click.echo("\nFacts")
    for fact in book.facts:
        click.echo(f"  {fact.citation}: {fact.says}")


@rulebook.command("table")
def rulebook_table() -> None:
    """Print every combination of the answers that rules read, with its outcome, separated by tabs."""
    book = installation().books["en"]
    columns = [item.id for item in book.asked() if (item.id, "missing") in book.open_findings]
    click.echo("\t".join([*columns, "outcome", "findings"]))
    for values in combinations(book):
        assessment = evaluate(book, read_answers(book, values))
        cells = [values.get(column, "-") for column in columns]
        click.echo("\t".join([*cells, assessment.outcome.word, ",".join(one.rule for one in assessment.findings)]))


@rulebook.command("fhir")
@click.argument("kind", type=click.Choice(list(DEFINITIONS), case_sensitive=False), default="Questionnaire")
def rulebook_fhir(kind: str) -> None:
    """Print the rule book's FHIR R4 Questionnaire, or the CodeSystem of its options."""
    here = installation()
    made = DEFINITIONS[kind](here.books, base=here.settings.fhir_base)
    click.echo(json.dumps(made, ensure_ascii=False, indent=2))


def combinations(book: RuleBook) -> Iterator[dict[str, str]]:
    """Every combination of the choices of questions and of follow-ups that rules read, where those apply."""
    for pages in itertools.product(*([*_pages(question, book)] for question in book.questions)):
        yield {item: value for page in pages for item, value in page}


def _pages(question: Question, book: RuleBook) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every way to answer one question's page."""
    for option in question.options:
        opened = [
            one for one in question.follow_ups if option.id in one.when and (one.id, "missing") in book.open_findings
        ]
        yield from itertools.product(
            [(question.id, option.id)], *([(one.id, given.id) for given in one.options] for one in opened)
        )
