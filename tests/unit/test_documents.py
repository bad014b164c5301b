"""Decision records have one form and an index, and no relative link in a document is dead."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})

LINK = re.compile(r"\]\(([^)\s]+)\)")
LINKED_RECORD = r"\[\d+\]\(\d{4}-[a-z0-9-]+\.md\)"
STATUS = re.compile(
    r"Date: \d{4}-\d\d-\d\d\. "
    rf"Status: (accepted|(accepted; amended|superseded) by {LINKED_RECORD}(, {LINKED_RECORD})*)\."
)
HEADINGS = ["Context", "Decision", "Consequences"]


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
