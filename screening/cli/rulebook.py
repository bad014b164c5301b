"""`flask rulebook`: check, show and compare rule books."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import fill

import click
from pydantic import TypeAdapter
from sqlalchemy.exc import OperationalError

from screening.cli.common import READABLE, acting, commands, fail, on_a_ready_installation, progress
from screening.domain.answers import read_answers
from screening.domain.comparison import Comparison, compare
from screening.domain.conditions import Said, truth_table
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, Finding, Question, RuleBook, Severity
from screening.extensions import db, installation
from screening.reports.fhir_definitions import DEFINITIONS
from screening.reports.summary import citations, standing
from screening.rulebooks import shape
from screening.rulebooks.adopt import adopt, basis, note_basis
from screening.rulebooks.load import load, load_content
from screening.services import compare as effects
from screening.settings import as_called
from screening.storage import editions
from screening.storage.database import DatabaseNotReady
from screening.storage.encryption import KeyFault

DAYS = 90  # for which screenings are assessed again


@commands.group()
def rulebook() -> None:
    """Check, show and compare rule books."""


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
    books = here.read(file or here.rule_book_file)
    edition = books[BASE_LANGUAGE].edition
    state = "not known to be in force: flask init has not run"
    if here.key_file.exists():
        editions.refuse_used_version(db.session, edition)
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
@click.option("--all", "is_all", is_flag=True, help="Print every combination of answers instead, separated by tabs.")
def rulebook_table(is_all: bool) -> None:
    """Print what each answer leads to, question by question; rules that join several questions stand apart.

    The outcome is the most severe of all that the answers lead to.
    """
    book = installation().books[BASE_LANGUAGE]
    if is_all:
        _print_combinations(book)
        return
    rows, joined = truth_table(book)
    width = max(len(_answers(row.said[-1])) for row in rows)
    for heading, leads in itertools.groupby(rows, key=lambda row: (row.said[-1].topic, row.said[:-1])):
        topic, opened = heading
        click.echo(f"{topic}, asked after {_said(opened)}" if opened else topic)
        for row in leads:
            click.echo(f"  {_answers(row.said[-1]):<{width}}  {_findings(row.findings)}")
    if joined:
        click.echo("Several answers together")
        for row in joined:
            click.echo(f"  {_said(row.said)}: {_findings(row.findings)}")


def _print_combinations(book: RuleBook) -> None:
    columns = [item.id for item in book.asked() if (item.id, "missing") in book.open_findings]
    click.echo("\t".join([*columns, "outcome", "findings"]))
    for values in combinations(book):
        assessment = evaluate(book, read_answers(book, values))
        cells = [values.get(column, "-") for column in columns]
        click.echo("\t".join([*cells, assessment.outcome.word, ",".join(one.rule for one in assessment.findings)]))


@rulebook.command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--references", is_flag=True, help="Name the screenings that differ, for prescribers. The audit log is told."
)
def rulebook_diff(old: str, new: str, references: bool) -> None:
    """Print what changes from the rule book OLD to the rule book NEW, and for how many screenings.

    Each is a file, `packaged`, `adopted-from` (the packaged one when it was adopted), `in-force`, or an edition that
    the database keeps: the first 8 or more digits of its SHA-256.
    """
    made = compare(_books(old), _books(new))
    click.echo(
        " -> ".join(f"{one.id} {one.version} ({one.digest[:16]})" for one in (made.old.edition, made.new.edition))
    )
    click.echo("\nWhat answers lead to" if made.outcomes else "\nAll answers lead to what they led to.")
    for change in made.outcomes:
        was, now = (_word(change.was, "not asked"), _word(change.now, "no longer asked"))
        click.echo(f"  {_said(change.said)}: " + (f"still {was}" if was == now else f"was {was}, is {now}"))
        for finding, *severities in change.findings:
            words = " -> ".join(_word(one, "no finding") for one in severities)
            click.echo(f"    {finding.title} [{finding.rule}]: {words}")
    click.echo("\nWhat is asked" if made.asked else "\nThe same is asked, with the same options.")
    for asked in made.asked:
        click.echo(f"  {'added' if asked.added else 'removed'}: {': '.join(filter(None, (asked.topic, asked.option)))}")
    click.echo(
        "\nTexts and values, [-removed-] and {+added+}" if made.texts else "\nAll texts and values are the same."
    )
    for text in made.texts:
        click.echo(
            f"  {text.language} {text.place}: " + "".join(_MARKED[where].format(words) for where, words in text.pieces)
        )
    _print_effect(made, references=references)


_MARKED = {"same": "{}", "old": "[-{}-]", "new": "{{+{}+}}"}


def _print_effect(made: Comparison, *, references: bool) -> None:
    here, now = installation(), datetime.now(UTC)
    try:
        with on_a_ready_installation(), progress("Assessing screenings") as tell:
            since = now - timedelta(days=DAYS)
            found = effects.effect(db.session, here.keys, made.old, made.new, since=since, tell=tell)
    except (KeyFault, DatabaseNotReady, OperationalError) as err:
        click.echo(f"\nNo screenings were assessed: {getattr(err, 'orig', err)}", err=True)
        return
    differ = f"{found.count} would have come out differently"
    click.echo(f"\nScreenings of the last {DAYS} days: {found.total}, of which {differ}")
    if found.unreadable:
        click.echo(f"  {found.unreadable} cannot be opened and were not assessed; run: flask verify")
    if any(not asked.option and asked.added for asked in made.asked):
        click.echo("  A question that is new counts as not answered.")
    if references:
        effects.seen(acting(), found, old=made.old, new=made.new)
    for (was, is_now), named in found.differing.items():
        same = " (other findings)" if was is is_now else ""
        click.echo(f"  {was.word} -> {is_now.word}{same}: {len(named)}")
        if references:
            click.echo(
                fill(" ".join(named), 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
            )


def _books(name: str) -> Mapping[str, RuleBook]:
    """The edition that a command names."""
    if name == "packaged":
        return load()
    if name == "in-force":
        return installation().books
    if name == "adopted-from" and basis(installation().rule_book_folder).exists():
        return load(basis(installation().rule_book_folder), ())
    if Path(name).is_file() or not re.fullmatch("[0-9a-fA-F]{8,64}", name):
        if not Path(name).is_file():
            fail(
                f"{name} is no file; name a file, packaged, in-force, or 8 or more digits of the SHA-256 of an edition"
            )
        return installation().read(Path(name))
    with on_a_ready_installation():
        found = editions.beginning(db.session, name.lower())
        if len(found) != 1:
            problem = (
                f"begins several kept editions: {', '.join(found)}" if found else "is no edition that is kept here"
            )
            fail(f"{name} {problem}")
        return load_content(editions.content(db.session, found[0]))


def _said(said: Iterable[Said]) -> str:
    return "; ".join(f"{one.topic}: {_answers(one)}" for one in said)


def _answers(said: Said) -> str:
    chosen = [" / ".join(label or "no answer" for label in group) for group in said.some]
    return ", with ".join(chosen + ([f"none of {', '.join(said.none)}"] if said.none else []))


def _findings(findings: Iterable[Finding]) -> str:
    return "; ".join(f"{one.severity.word}: {one.title}" for one in findings) or "none"


def _word(severity: Severity | None, otherwise: str) -> str:
    return otherwise if severity is None else severity.word


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
