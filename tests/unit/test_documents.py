"""Decision records have one form and an index. What documents link to or name exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import pytest

from screening.cli import LazyCommands
from screening.settings import Settings
from screening.storage.tables import Base

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
FEATURES = ("deliveries", "invitations", "tablet")
# The safety case is that of the whole program: a copy without a feature lacks what it names.
IS_WHOLE = all((ROOT / "screening" / "features" / name).exists() for name in FEATURES)
SAFETY = sorted((ROOT / "docs" / "safety").glob("*.md")) if IS_WHOLE else []

LINK = re.compile(r"\]\(([^)\s]+)\)")
LINKED_RECORD = r"\[\d+\]\(\d{4}-[a-z0-9-]+\.md\)"
STATUS = re.compile(
    r"Date: \d{4}-\d\d-\d\d\. "
    rf"Status: (accepted|(accepted; amended|superseded) by {LINKED_RECORD}(, {LINKED_RECORD})*)\."
)
HEADINGS = ["Context", "Decision", "Consequences"]
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"\bflask ([a-z][^\n`;&|>]*)")
NAME = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of the document."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(document: Path) -> list[str]:
    """Return the relative links of the document that lead to no file or to no heading."""
    dead = []
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        linked = document.parent / path if path else document
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_decision_record_has_number_date_status_and_the_same_headings(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    title, empty, status = text.splitlines()[:3]
    assert title.startswith(f"# {int(record.name[:4])}. ")
    assert empty == ""
    assert STATUS.fullmatch(status), status
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings in (HEADINGS, HEADINGS[:2])


def test_no_two_decision_records_have_the_same_number() -> None:
    numbers = Counter(record.name[:4] for record in RECORDS)
    assert [number for number, count in numbers.items() if count > 1] == []


def test_the_index_has_each_decision_record_with_its_title_date_and_status() -> None:
    rows = []
    for record in RECORDS:
        title, _, status = record.read_text(encoding="utf-8").splitlines()[:3]
        number, _, name = title.removeprefix("# ").partition(". ")
        date, _, state = re.sub(r"\[(\d+)\]\([^)]*\)", r"\1", status).partition(". Status: ")
        cells = f"[{name}]({record.name}) | {date.removeprefix('Date: ')} | {state.rstrip('.')}"
        rows.append(f"| {number} | {cells} |")
    index = (DECISIONS / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in index if re.match(r"\| \d", line)] == rows


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    assert dead_links(document) == []


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Return the names of the tests in a file; no file has none."""
    if not (ROOT / file).exists():
        return frozenset()
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def unknown_tests(text: str) -> list[str]:
    """Return the ids of tests in the text that do not exist."""
    named = TEST.findall(text)
    return [f"{file}::{name}" for file, name in named if name not in names_of_tests(file)]


def unknown_commands(text: str) -> Iterator[str]:
    """Yield the words after `flask` in the code of the text that are no command or no option."""
    for written in COMMAND.findall("\n".join(CODE.findall(text))):
        words = written.split()
        commands = LazyCommands()
        context = click.Context(commands)
        if words[0] not in commands.list_commands(context):
            yield written
            continue
        command = commands.get_command(context, words.pop(0)) if words[0] != "db" else None
        while isinstance(command, click.Group) and words:
            command = command.get_command(context, words.pop(0))
            if command is None:
                yield written
        options = {option for value in getattr(command, "params", ()) for option in value.opts}
        if command and {word for word in words if word.startswith("--")} - options:
            yield written


def names_of_settings_and_tables() -> set[str]:
    """Return the names of settings, options of channels, tables and columns."""
    import_module("screening.features.invitations.tables")
    import_module("screening.features.tablet.tables")
    kinds = import_module("screening.features.deliveries.load").KINDS.values()
    options = {name for kind in kinds for name in kind.declared()}
    columns = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    return {*Settings.declared(), *options, *Base.metadata.tables, *columns}


@pytest.mark.parametrize("document", SAFETY, ids=lambda file: file.name)
def test_each_test_and_command_that_the_safety_case_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert unknown_tests(text) == []
    assert list(unknown_commands(text)) == []


@pytest.mark.parametrize("document", SAFETY, ids=lambda file: file.name)
def test_each_setting_and_column_that_the_safety_case_names_exists(document: Path) -> None:
    names = set(NAME.findall(document.read_text(encoding="utf-8")))
    assert names - names_of_settings_and_tables() == set()


@pytest.mark.skipif(not SAFETY, reason="this copy lacks a feature")
def test_the_summary_of_the_asvs_counts_the_rows_of_its_chapters() -> None:
    text = (ROOT / "docs" / "safety" / "asvs.md").read_text(encoding="utf-8")
    names, *rows = re.findall(r"^\| (chapter.*|V\d.*|sum.*) \|$", text, re.MULTILINE)
    kinds = names.split(" | ")[1:]
    chapters = dict(re.findall(r"^## (V.+)$\n((?:(?!^## ).*\n)*)", text, re.MULTILINE))
    found = {}
    for name, chapter in chapters.items():
        requirements = re.findall(r"^\| \d[\d.]+ \|[^|]+\| (\S+) \|", chapter, re.MULTILINE)
        found[name] = [str(requirements.count(kind) or "") for kind in kinds]
    told = {name: counts for name, *counts in (re.split(r" \| ?", row) for row in rows)}
    sums = [sum(int(counts[at] or 0) for counts in found.values()) for at in range(len(kinds))]
    assert told.pop("sum") == [str(count) for count in sums]
    everything_is_absent = {name for name, counts in told.items() if counts[-1] == "all"}
    assert told.keys() == found.keys()
    assert {name for name in told if told[name] != found[name]} == everything_is_absent


def test_a_test_a_command_or_an_option_that_does_not_exist_is_noticed() -> None:
    here = "tests/unit/test_documents.py"
    assert unknown_tests(f"{here}::test_gone tests/gone.py::test_gone {here}::names_of_tests") == [
        f"{here}::test_gone",
        "tests/gone.py::test_gone",
    ]
    code = "`flask gone` `flask audit gone` `flask verify --gone` `flask audit verify --head 1:2`"
    found = ["gone", "audit gone", "verify --gone"]
    assert list(
        unknown_commands(f"flask words {code}\n```\nflask restore FILE && flask no\n```\n")
    ) == [
        *found,
        "no",
    ]
