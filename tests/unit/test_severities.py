"""Each severity has all that distinguishes it, so that a new one is nowhere forgotten."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from screening.domain.assessment import Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook, Severity
from screening.printing.pdf import summary_html
from screening.reports.fhir import bundle
from screening.reports.summary import Summary, label, summarise
from screening.rulebooks import shape
from screening.settings import Settings
from tests.builders import a_patient, answers_of
from tests.unit import small_book

CLINIC = Settings(instance=Path("nowhere"))
STYLES = Path(__file__).parents[2] / "static" / "css"
OF_RULES = get_args(shape.Rule.model_fields["severity"].annotation)


def book_of(severity: Severity) -> RuleBook:
    """Return the small rule book; the rule about IUDs has this severity if rules can have it."""

    def change(content: dict[str, list[dict[str, object]]]) -> None:
        for rule in content["rule"]:
            if rule["id"] == "iud" and severity.word in OF_RULES:
                rule["severity"] = severity.word

    return small_book.book_with(change)


def case(severity: Severity) -> tuple[RuleBook, Screening]:
    """Return a rule book and a screening with this outcome."""
    iud = {Severity.NONE: "no", Severity.CLARIFY: "unsure"}.get(severity, "yes")
    book = book_of(severity)
    screening = Screening(
        reference="7F3K-9QWD",
        submitted_at=datetime(2026, 11, 23, 10, 2, tzinfo=UTC),
        language="en",
        patient=a_patient(),
        answers=answers_of(book, **small_book.all_no(iud=iud)),
        digest=book.edition.digest,
    )
    return book, screening


def summary_of(severity: Severity) -> Summary:
    book, screening = case(severity)
    return summarise(screening, {"en": book}, CLINIC)


def test_rules_can_have_each_severity_but_those_of_open_questions_and_of_no_finding() -> None:
    assert {*OF_RULES} == {severity.word for severity in Severity} - {"none", "clarify"}


@pytest.mark.parametrize("severity", Severity, ids=lambda severity: severity.word)
def test_a_severity_is_in_summary_sentence_fhir_settings_and_style_sheets(
    severity: Severity,
) -> None:
    book, screening = case(severity)
    summary = summarise(screening, {"en": book}, CLINIC)
    assert summary.outcome is severity
    assert [finding.severity for finding in summary.findings] == [severity] * bool(severity)
    assert not severity or "IUD" in summary.sentence
    resources = bundle(
        screening, evaluate(book, screening.answers), {"en": book}, base="https://a.example/fhir"
    )
    assert str(resources).count("'DetectedIssue'") == bool(severity)
    assert f"unopened_hours_{severity.word}" in Settings.declared()
    pages = (STYLES / "clinic.css").read_text(encoding="utf-8")
    for selector in (f".{severity.word}.outcome", f".bar.{severity.word}"):
        assert selector in pages
    assert f".{severity.word}.outcome" in (STYLES / "pdf.css").read_text(encoding="utf-8")


def test_no_two_severities_share_a_label_a_headline_or_a_sign() -> None:
    summaries = [summary_of(severity) for severity in Severity]
    signs = [
        re.search("<svg.*?</svg>", summary_html(summary, "A4"), re.DOTALL) for summary in summaries
    ]
    assert len({label(severity, "en") for severity in Severity}) == len(Severity)
    assert len({summary.headline for summary in summaries}) == len(Severity)
    assert len({sign and sign[0] for sign in signs}) == len(Severity)
