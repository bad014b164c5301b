"""`flask rulebook`: check, show and compare rule books."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import click
from flask import current_app
from sqlalchemy.exc import OperationalError

from screening.cli.common import (
    READABLE,
    commands,
    current_actor,
    fail,
    on_a_ready_installation,
    progress,
)
from screening.domain.answers import read_answers
from screening.domain.comparison import compare
from screening.domain.conditions import truth_table
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, Question, RuleBook
from screening.extensions import db
from screening.installation import current_installation
from screening.reports.fhir_definitions import DEFINITIONS
from screening.reports.summary import standing
from screening.rulebooks.adopt import adopt, basis, note_basis
from screening.rulebooks.load import InvalidRuleBook, load, load_content
from screening.services import compare as effects
from screening.settings import as_called
from screening.storage import editions
from screening.storage.database import DatabaseNotReady
from screening.storage.private_files import KeyFault


@commands.group()
def rulebook() -> None:
    """Check, show and compare rule books."""


@rulebook.command("adopt")
@click.option(
    "--seen",
    is_flag=True,
    help="Only note that what this release changed in its rule book was looked at.",
)
def rulebook_adopt(seen: bool) -> None:
    """Copy the packaged rule book into the instance folder, for the clinic to change.

    Upgrades do not change that copy.
    """
    folder = current_installation().rule_book_folder
    if seen:
        if not folder.exists():
            fail(f"There is no {folder}; run: flask rulebook adopt")
        note_basis(folder)
        click.echo(
            "Noted. The packaged rule book of this release is what later ones are compared with."
        )
        return
    try:
        files = adopt(folder)
    except FileExistsError:
        fail(f"{folder} is there already: the rule book was adopted before. Nothing was changed.")
    click.echo("\n".join(f"Wrote {file}" for file in files))
    click.echo(
        as_called(
            "Change it and its version, run flask rulebook check; "
            "a prescriber approves it on the page Rule book."
        )
    )


@rulebook.command("check")
@click.argument("file", type=READABLE, required=False)
def rulebook_check(file: Path | None) -> None:
    """Check a rule book and its translations; print every fault.

    Without FILE, check the one that the clinic changes. An incomplete translation that no patient
    is offered is listed, and is no failure.
    """
    installation = current_installation()
    file = file or installation.rule_book_file
    books = installation.read(file)
    edition = books[BASE_LANGUAGE].edition
    standing_words = "not known to be in force: flask init has not run"
    if installation.key_file.exists():
        installation.check_languages(books)
        editions.refuse_used_version(db.session, edition)
        current = installation.approved_books[BASE_LANGUAGE].edition
        standing_words = f"not in force ({current.version} is)"
        if current.digest == edition.digest:
            standing_words = f"in force. {standing(current, 'en', on=installation.today())}"
    click.echo(f"{edition.id} {edition.version} is sound, and {standing_words}")
    click.echo(f"  SHA-256 {edition.digest}")
    for language, book in books.items():
        click.echo(f"  {language}: {book.translation_status}")
    try:
        load(file)
    except InvalidRuleBook as err:
        click.echo("Incomplete translations, which no patient is offered:")
        for fault in err.faults:
            click.echo(f"  {fault}")


@rulebook.command("schema")
@click.option("--translation", is_flag=True, help="The schema of a translation instead.")
def rulebook_schema(translation: bool) -> None:
    """Print the JSON Schema with which an editor checks a rule book while it is typed."""
    from pydantic import TypeAdapter

    from screening.rulebooks import shape

    schema = TypeAdapter(shape.TranslationFile if translation else shape.Book).json_schema()
    click.echo(json.dumps(schema, indent=2))


@rulebook.command("show")
@click.option("--language", default="en", show_default=True)
def rulebook_show(language: str) -> None:
    """Print the whole edition in force, in one language."""
    books = current_installation().books
    if language not in books:
        fail(f"There is no rule book in {language!r}; use one of: {', '.join(books)}")
    template = current_app.jinja_env.get_template("text/rule_book.txt")
    click.echo(template.render(book=books[language]), nl=False)


@rulebook.command("table")
@click.option(
    "--all",
    "is_all",
    is_flag=True,
    help="Print every combination of answers instead, separated by tabs.",
)
def rulebook_table(is_all: bool) -> None:
    """Print the findings of each answer, by question, then those of several answers together."""
    book = current_installation().books[BASE_LANGUAGE]
    if not is_all:
        rows, joined = truth_table(book)
        template = current_app.jinja_env.get_template("text/table.txt")
        click.echo(template.render(rows=rows, joined=joined), nl=False)
        return
    columns = [item.id for item in book.asked() if (item.id, "missing") in book.open_findings]
    click.echo("\t".join([*columns, "outcome", "findings"]))
    for values in combinations(book):
        assessment = evaluate(book, read_answers(book, values))
        cells = [values.get(column, "-") for column in columns]
        findings = ",".join(finding.rule for finding in assessment.findings)
        click.echo("\t".join([*cells, assessment.outcome.word, findings]))


@rulebook.command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--references",
    is_flag=True,
    help="Name the screenings, for prescribers. The audit log records it.",
)
def rulebook_diff(old: str, new: str, references: bool) -> None:
    """Print what changes from the rule book OLD to the rule book NEW, and for how many screenings.

    Each is a file, `packaged`, `adopted-from` (the packaged one when it was adopted), `in-force`,
    or an edition in the database: the first 8 or more digits of its SHA-256.
    """
    comparison = compare(_books(old), _books(new))
    effect = None
    try:
        with on_a_ready_installation(), progress("Assessing screenings") as update:
            actor = current_actor()
            since = actor.now - timedelta(days=effects.DAYS)
            effect = effects.effect(
                actor, comparison.old, comparison.new, since=since, progress=update
            )
        if references:
            effects.seen(actor, effect)
    except (KeyFault, DatabaseNotReady, OperationalError) as err:
        click.echo(f"No screenings were assessed: {getattr(err, 'orig', err)}", err=True)
    template = current_app.jinja_env.get_template("text/comparison.txt")
    text = template.render(
        comparison=comparison, effect=effect, days=effects.DAYS, references=references
    )
    click.echo(text, nl=False)


def _books(name: str) -> Mapping[str, RuleBook]:
    """Return the edition of this name, in each language, or end the command."""
    if name == "packaged":
        return load()
    if name == "in-force":
        return current_installation().books
    basis_file = basis(current_installation().rule_book_folder)
    if name == "adopted-from" and basis_file.exists():
        return load(basis_file, ())
    if Path(name).is_file():
        return current_installation().read(Path(name))
    if not re.fullmatch("[0-9a-fA-F]{8,64}", name):
        fail(
            f"{name} is no file; name a file, packaged, in-force, "
            "or 8 or more digits of the SHA-256 of an edition"
        )
    with on_a_ready_installation():
        digests = editions.beginning(db.session, name.lower())
        if not digests:
            fail(f"{name} is no edition that is kept here")
        if len(digests) > 1:
            fail(f"{name} begins several kept editions", *digests)
        return load_content(editions.content(db.session, digests[0]))


@rulebook.command("fhir")
@click.argument(
    "kind", type=click.Choice(list(DEFINITIONS), case_sensitive=False), default="Questionnaire"
)
def rulebook_fhir(kind: str) -> None:
    """Print the rule book's FHIR R4 Questionnaire, or the CodeSystem of its options."""
    installation = current_installation()
    resource = DEFINITIONS[kind](installation.approved_books, base=installation.settings.fhir_base)
    click.echo(json.dumps(resource, ensure_ascii=False, indent=2))


def combinations(book: RuleBook) -> Iterator[dict[str, str]]:
    """Yield every combination of choices, with the follow-ups that apply and that rules read."""
    for pages in itertools.product(*([*_pages(question, book)] for question in book.questions)):
        yield {item: value for page in pages for item, value in page}


def _pages(question: Question, book: RuleBook) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every combination of choices on one question's page."""
    for option in question.options:
        choices = [[(question.id, option.id)]]
        for follow_up in question.follow_ups:
            if option.id in follow_up.when and (follow_up.id, "missing") in book.open_findings:
                choices.append([(follow_up.id, choice.id) for choice in follow_up.options])
        yield from itertools.product(*choices)
