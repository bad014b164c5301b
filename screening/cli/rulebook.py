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

from screening.cli.common import READABLE, acting, commands, fail, on_a_ready_installation, progress
from screening.domain.answers import read_answers
from screening.domain.comparison import compare
from screening.domain.conditions import truth_table
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, Question, RuleBook
from screening.extensions import db
from screening.installation import installation
from screening.reports.fhir_definitions import DEFINITIONS
from screening.reports.summary import standing
from screening.rulebooks.adopt import adopt, basis, note_basis
from screening.rulebooks.load import load, load_content
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
    """Copy the packaged rule book into the instance folder, where the clinic changes it and upgrades do not."""
    folder = installation().rule_book_folder
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
    say = "Change it and its version, run flask rulebook check; a prescriber approves it on the page Rule book."
    click.echo(as_called(say))


@rulebook.command("check")
@click.argument("file", type=READABLE, required=False)
def rulebook_check(file: Path | None) -> None:
    """Prove a rule book and its translations; print every fault.

    Without FILE, the one that the clinic changes.
    """
    here = installation()
    books = here.read(file or here.rule_book_file)
    edition = books[BASE_LANGUAGE].edition
    state = "not known to be in force: flask init has not run"
    if here.key_file.exists():
        here.check_languages(books)
        editions.refuse_used_version(db.session, edition)
        current = here.approved_books[BASE_LANGUAGE].edition
        in_force = f"in force. {standing(current, 'en', on=here.today())}"
        state = (
            in_force if current.digest == edition.digest else f"not in force ({current.version} is)"
        )
    click.echo(f"{edition.id} {edition.version} is sound, and {state}")
    click.echo(f"  SHA-256 {edition.digest}")
    for language, book in books.items():
        click.echo(f"  {language}: {book.translation_status}")


@rulebook.command("schema")
@click.option("--translation", is_flag=True, help="The schema of a translation instead.")
def rulebook_schema(translation: bool) -> None:
    """Print the JSON Schema by which an editor checks a rule book while it is typed."""
    from pydantic import TypeAdapter

    from screening.rulebooks import shape

    made = TypeAdapter(shape.TranslationFile if translation else shape.Book).json_schema()
    click.echo(json.dumps(made, indent=2))


@rulebook.command("show")
@click.option("--language", default="en", show_default=True)
def rulebook_show(language: str) -> None:
    """Print the whole edition in force, in one language."""
    books = installation().books
    if language not in books:
        fail(f"There is no rule book in {language!r}; use one of: {', '.join(books)}")
    click.echo(
        current_app.jinja_env.get_template("text/rule_book.txt").render(book=books[language]),
        nl=False,
    )


@rulebook.command("table")
@click.option(
    "--all",
    "is_all",
    is_flag=True,
    help="Print every combination of answers instead, separated by tabs.",
)
def rulebook_table(is_all: bool) -> None:
    """Print what each answer leads to, question by question, and then what several answers together lead to."""
    book = installation().books[BASE_LANGUAGE]
    if not is_all:
        rows, joined = truth_table(book)
        click.echo(
            current_app.jinja_env.get_template("text/table.txt").render(rows=rows, joined=joined),
            nl=False,
        )
        return
    columns = [item.id for item in book.asked() if (item.id, "missing") in book.open_findings]
    click.echo("\t".join([*columns, "outcome", "findings"]))
    for values in combinations(book):
        assessment = evaluate(book, read_answers(book, values))
        cells = [values.get(column, "-") for column in columns]
        click.echo(
            "\t".join(
                [*cells, assessment.outcome.word, ",".join(one.rule for one in assessment.findings)]
            )
        )


@rulebook.command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--references",
    is_flag=True,
    help="Name the screenings, for prescribers. It is noted in the audit log.",
)
def rulebook_diff(old: str, new: str, references: bool) -> None:
    """Print what changes from the rule book OLD to the rule book NEW, and for how many screenings.

    Each is a file, `packaged`, `adopted-from` (the packaged one when it was adopted), `in-force`,
    or an edition that the database keeps: the first 8 or more digits of its SHA-256.
    """
    made = compare(_books(old), _books(new))
    found = None
    try:
        with on_a_ready_installation(), progress("Assessing screenings") as tell:
            act = acting()
            found = effects.effect(
                act, made.old, made.new, since=act.now - timedelta(days=effects.DAYS), progress=tell
            )
        if references:
            effects.seen(act, found)
    except (KeyFault, DatabaseNotReady, OperationalError) as err:
        click.echo(f"No screenings were assessed: {getattr(err, 'orig', err)}", err=True)
    template = current_app.jinja_env.get_template("text/comparison.txt")
    click.echo(
        template.render(comparison=made, effect=found, days=effects.DAYS, references=references),
        nl=False,
    )


def _books(name: str) -> Mapping[str, RuleBook]:
    """The edition that a command names."""
    if name == "packaged":
        return load()
    if name == "in-force":
        return installation().books
    if name == "adopted-from" and basis(installation().rule_book_folder).exists():
        return load(basis(installation().rule_book_folder), ())
    if Path(name).is_file():
        return installation().read(Path(name))
    if not re.fullmatch("[0-9a-fA-F]{8,64}", name):
        fail(
            f"{name} is no file; name a file, packaged, in-force, or 8 or more digits of the SHA-256 of an edition"
        )
    with on_a_ready_installation():
        found = editions.beginning(db.session, name.lower())
        if len(found) != 1:
            fail(
                f"{name} {'begins several kept editions' if found else 'is no edition that is kept here'}",
                *found,
            )
        return load_content(editions.content(db.session, found[0]))


@rulebook.command("fhir")
@click.argument(
    "kind", type=click.Choice(list(DEFINITIONS), case_sensitive=False), default="Questionnaire"
)
def rulebook_fhir(kind: str) -> None:
    """Print the rule book's FHIR R4 Questionnaire, or the CodeSystem of its options."""
    here = installation()
    made = DEFINITIONS[kind](here.approved_books, base=here.settings.fhir_base)
    click.echo(json.dumps(made, ensure_ascii=False, indent=2))


def combinations(book: RuleBook) -> Iterator[dict[str, str]]:
    """Every combination of the choices of questions and of follow-ups that rules read, where those apply."""
    for pages in itertools.product(*([*_pages(question, book)] for question in book.questions)):
        yield {item: value for page in pages for item, value in page}


def _pages(question: Question, book: RuleBook) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every way to answer one question's page."""
    for option in question.options:
        opened = [
            one
            for one in question.follow_ups
            if option.id in one.when and (one.id, "missing") in book.open_findings
        ]
        yield from itertools.product(
            [(question.id, option.id)],
            *([(one.id, given.id) for given in one.options] for one in opened),
        )
