"""`flask rulebook`: check and show the rule book."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import TypeAdapter

from screening.cli.common import READABLE, commands, fail
from screening.domain.answers import read_answers
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, Question, RuleBook
from screening.extensions import db, installation
from screening.reports.fhir_definitions import DEFINITIONS
from screening.reports.summary import citations, standing
from screening.rulebooks import shape
from screening.rulebooks.adopt import adopt, note_basis
from screening.rulebooks.load import load
from screening.settings import as_called
from screening.storage.editions import refuse_used_version


@commands.group()
def rulebook() -> None:
    """Check and show the rule book."""


@rulebook.command("adopt")
@click.option("--seen", is_flag=True, help="Only note that what this release changed in its rule book was looked at.")
def rulebook_adopt(seen: bool) -> None:
    """Copy the packaged rule book into the instance folder, where the clinic changes it and upgrades do not."""
    folder = installation().rule_book_folder
    if seen:
        if not folder.exists():
            fail(f"There is no {folder}; run: flask rulebook adopt")
        note_basis(folder)
        click.echo("Noted. The packaged rule book of this release is what later ones are compared with.")
        return
    try:
        files = adopt(folder)
    except FileExistsError:
        fail(f"{folder} is there already: the rule book was adopted before. Nothing was changed.")
    click.echo("\n".join(f"Wrote {file}" for file in files))
    say = "Change it and its version, run flask rulebook check; a prescriber approves it on the page Rule book."
    click.echo(as_called(say))


@rulebook.command("check")
@click.argument("file", type=READABLE, required=False)
def rulebook_check(file: Path | None) -> None:
    """Prove a rule book and its translations; print every fault. Without FILE, the one that the clinic changes."""
    here = installation()
    books = load(file or here.rule_book_file, here.wanted_languages)
    edition = books[BASE_LANGUAGE].edition
    state = "not known to be in force: flask init has not run"
    if here.key_file.exists():
        refuse_used_version(db.session, edition)
        current = here.books[BASE_LANGUAGE].edition
        in_force = f"in force. {standing(current, 'en', on=here.today())}"
        state = in_force if current.digest == edition.digest else f"not in force ({current.version} is)"
    click.echo(f"{edition.id} {edition.version} is sound, and {state}")
    click.echo(f"  SHA-256 {edition.digest}")
    for language, book in books.items():
        click.echo(f"  {language}: {book.translation_status}")


@rulebook.command("schema")
@click.option("--translation", is_flag=True, help="The schema of a translation instead.")
def rulebook_schema(translation: bool) -> None:
    """Print the JSON Schema by which an editor checks a rule book while it is typed."""
    made = TypeAdapter(shape.TranslationFile if translation else shape.Book).json_schema()
    click.echo(json.dumps(made, indent=2))


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
