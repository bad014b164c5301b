"""`flask rulebook diff` and `table`, and stored screenings evaluated by another edition."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string

from screening.domain.comparison import compare
from screening.domain.rules import Severity
from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.load import AZATHIOPRINE
from screening.services.compare import Effect
from screening.settings import Settings
from tests.builders import a_rule, all_no, book_with, books
from tests.integration.test_upkeep import change, flask
from tests.storing import store

SEVERITY = 'severity = "contraindication"\ntitle = "Active infection'


@pytest.fixture
def milder(tmp_path: Path) -> str:
    """A file in which an infection is only a caution."""
    text = AZATHIOPRINE.read_text(encoding="utf-8")
    assert SEVERITY in text
    file = tmp_path / "milder.toml"
    file.write_text(
        text.replace(SEVERITY, SEVERITY.replace("contraindication", "caution")), encoding="utf-8"
    )
    return str(file)


def send(app: Flask, days: int = 1, **answers: str) -> str:
    with app.app_context():
        installation = current_installation()
        at = datetime.now(UTC) - timedelta(days=days)
        return store(
            db.session, installation.keys, installation.books["en"], all_no(**answers), at=at
        ).reference


@pytest.mark.one_database
def test_the_table_of_the_packaged_book_fits_one_page(sqlite_app: Flask) -> None:
    lines = flask(sqlite_app, "rulebook", "table").output.splitlines()
    assert len(lines) < 60
    assert lines[0] == "Pregnancy"
    assert lines[1].split(maxsplit=1) == ["Yes", "contraindication: Pregnancy reported"]
    assert "Planned pregnancy, asked after Pregnancy: No" in lines
    assert len(flask(sqlite_app, "rulebook", "table", "--all").output.splitlines()) == 7 * 4**5 + 1


def test_a_comparison_tells_what_would_have_come_out_differently(app: Flask, milder: str) -> None:
    infected = [send(app, infection="yes") for _ in range(2)]
    pregnant = send(app, infection="yes", pregnancy="yes")
    old = send(app, 91, infection="yes")
    send(app)
    output = flask(app, "rulebook", "diff", "in-force", milder).output
    assert "  Active infection: Yes: was contraindication, is caution\n" in output
    assert (
        "    Active infection reported (contraindication to starting) [infection]: "
        "contraindication -> caution\n" in output
    )
    assert "  en rule.infection.severity: [-contraindication-]{+caution+}\n" in output
    assert (
        "Screenings of the last 90 days: 4, of which 3 would have come out differently\n" in output
    )
    assert "  contraindication -> caution: 2\n" in output
    assert "  contraindication -> contraindication (other findings): 1\n" in output
    assert not any(reference in output for reference in (*infected, pregnant, old))
    assert "compared" not in flask(app, "audit", "export").output
    named = flask(app, "rulebook", "diff", "in-force", milder, "--references").output
    assert all(reference in named for reference in (*infected, pregnant))
    assert old not in named
    assert "3 screenings" in next(
        line for line in flask(app, "audit", "export").output.splitlines() if "compared" in line
    )


@pytest.mark.one_database
def test_an_edition_that_is_kept_is_named_by_the_beginning_of_its_digest(
    sqlite_app: Flask, milder: str
) -> None:
    send(sqlite_app)
    with sqlite_app.app_context():
        digest = current_installation().books["en"].edition.digest
    assert "is caution" in flask(sqlite_app, "rulebook", "diff", digest[:8].upper(), milder).output
    assert (
        "All answers lead to what they led to."
        in flask(sqlite_app, "rulebook", "diff", digest, "packaged").output
    )
    change(
        sqlite_app,
        f"INSERT INTO editions SELECT '{digest[:12]}' || substr(digest, 1, 52), "
        "content, first_used_at FROM editions",
    )
    assert (
        "begins several kept editions"
        in flask(sqlite_app, "rulebook", "diff", digest[:8], milder, code=1).output
    )


@pytest.mark.one_database
@pytest.mark.parametrize("name", ["nowhere.toml", "abc", "packed"])
def test_what_is_neither_file_nor_edition_is_refused_in_words(sqlite_app: Flask, name: str) -> None:
    assert (
        f"{name} is no file"
        in flask(sqlite_app, "rulebook", "diff", "packaged", name, code=1).output
    )


@pytest.mark.one_database
def test_an_unknown_digest_is_refused(sqlite_app: Flask) -> None:
    output = flask(sqlite_app, "rulebook", "diff", "0" * 8, "packaged", code=1).output
    assert "00000000 is no edition that is kept here" in output


@pytest.mark.one_database
def test_every_fault_of_a_broken_file_is_told(sqlite_app: Flask, milder: str) -> None:
    file = Path(milder)
    file.write_text(
        file.read_text(encoding="utf-8")
        .replace('cites = ["F3"]', 'cites = ["F99"]')
        .replace('ask = "', 'asks = "')
    )
    output = flask(sqlite_app, "rulebook", "diff", "packaged", milder, code=1).output
    assert "F99" in output
    assert "question.infection.ask" in output
    assert "Traceback" not in output


@pytest.mark.one_database
def test_without_a_database_two_files_are_still_compared(
    tmp_path: Path, start: Callable[[Settings], Flask], milder: str
) -> None:
    result = (
        start(Settings(instance=tmp_path / "nowhere"))
        .test_cli_runner()
        .invoke(args=["rulebook", "diff", "packaged", milder])
    )
    assert result.exit_code == 0
    assert "is caution" in result.stdout
    assert "No screenings were assessed" in result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.one_database
def test_a_screening_that_cannot_be_opened_is_counted_apart(sqlite_app: Flask, milder: str) -> None:
    reference = send(sqlite_app, infection="yes")
    change(
        sqlite_app, f"UPDATE screenings SET sealed_answers = x'00' WHERE reference = '{reference}'"
    )
    output = flask(sqlite_app, "rulebook", "diff", "packaged", milder).output
    assert "Screenings of the last 90 days: 1, of which 0 would" in output
    assert "  1 cannot be opened and were not assessed; run: flask verify\n" in output


# ----------------------------------------------------------------------------------------
# part of a page

PAGE = """{% extends "clinic/base.html" %}{% block title %}Rule book{% endblock %}
{% block main %}<h1>Rule book</h1>{% include "clinic/_comparison.html" %}{% endblock %}"""


def edit(content: dict[str, Any]) -> None:
    """A milder infection, a joined rule, a new question and option, other words."""
    rule = next(candidate for candidate in content["rule"] if candidate["id"] == "infection")
    rule["severity"] = "caution"
    joined = a_rule(id="joined", title="IUD & vaccine", when={"iud": ["yes"], "vaccines": ["yes"]})
    smoking = {
        "id": "smoking",
        "topic": "Smoking",
        "ask": "Do you smoke?",
        "why": "It matters.",
        "clarify": "Ask.",
    }
    content["rule"] += [
        {**joined, "severity": "contraindication"},
        a_rule(when={"smoking": ["yes"]}),
    ]
    content["question"].append(
        {**smoking, "choices": ["yes", "no", "unsure", "private"], "valid_for_hours": 24}
    )
    content["question"][4]["follow_up"][0]["options"].append({"id": "none", "label": "<None>"})
    content["question"][2]["ask"] = "Do you have a bad infection today?"


def page(
    app: Flask, effect: Effect | None, *, references: bool = False, language: str = "en"
) -> str:
    comparison = compare(books(), {"en": book_with(edit)})
    with app.test_request_context(headers={"Accept-Language": language}):
        return render_template_string(
            PAGE, comparison=comparison, effect=effect, days=90, references=references
        )


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", re.sub("(?s)<svg.*?</svg>", "", html)))


@pytest.mark.one_database
def test_a_page_shows_a_comparison_by_word(sqlite_app: Flask) -> None:
    html = page(sqlite_app, None)
    shown = words(html)
    assert "Active infection: Yes In force: Contraindication This edition: Caution" in shown
    assert (
        "IUD use: Yes; Planned vaccines: Yes In force: Caution This edition: Contraindication"
        in shown
    )
    assert "IUD &amp; vaccine: no finding → Contraindication" in shown
    assert "Smoking: Yes In force: Not asked This edition: Caution" in shown
    assert "Added: Type of IUD: &lt;None&gt;" in shown
    assert "In force: Do you have [removed: an] infection [removed: now]?" in shown
    assert "This edition: Do you have [added: a bad] infection [added: today]?" in shown
    assert "reported (contraindication to starting): Contraindication → Caution" in shown
    assert "rule.joined.title en Added [added: IUD &amp; vaccine]" in shown
    assert '<ins><span class="visually-hidden" lang="en">[added: </span>a bad<' in html
    assert "Screenings of the last" not in shown
    assert html.count("<del>") == html.count("</del>") > 0


@pytest.mark.one_database
def test_a_page_shows_how_many_screenings_would_have_come_out_differently(
    sqlite_app: Flask,
) -> None:
    differing = {(Severity.CONTRAINDICATION, Severity.CAUTION): ("7F3K-9QWD", "8F3K-9QWD")}
    effect = Effect(total=9, unreadable=1, differing=differing)
    shown = words(page(sqlite_app, effect))
    assert "2 of 9 would have come out differently." in shown
    assert "1 screening cannot be opened" in shown
    assert "In force: Contraindication This edition: Caution 2" in shown
    assert "7F3K-9QWD" not in shown
    assert 'href="/clinic/screenings/7F3K-9QWD"' in page(sqlite_app, effect, references=True)
