"""Evaluation: what fires a rule, what an open answer does instead, and the order of findings."""

from __future__ import annotations

from typing import Any

import pytest

from screening.domain.evaluate import evaluate
from screening.domain.rules import Severity
from tests.builders import answers_of
from tests.unit.small_book import all_no, book

READ_BY_RULES = ("pregnancy", "pregnancy_planned", "infection", "iud", "vaccines")
PLANNED = "pregnancy_planned"
BOTH = "iud_and_pregnancy_planned"


def findings_of(**changes: Any) -> list[str]:
    return [
        finding.rule
        for finding in evaluate(book(), answers_of(book(), **all_no(**changes))).findings
    ]


# What the rule is about, the answers that differ from "no" to everything (None: not answered), all
# findings in order.
ROWS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a question", {"infection": "yes"}, ["infection"]),
    ("a question", {"infection": "no"}, []),
    ("a question", {"infection": "unsure"}, ["clarify-infection"]),
    ("a question", {"infection": "private"}, ["clarify-infection"]),
    ("a question", {"infection": None}, ["clarify-infection"]),
    ("details no rule reads", {"infection": "yes", "infection_symptoms": []}, ["infection"]),
    ("details no rule reads", {"iud": "yes", "iud_type": "unsure"}, ["iud"]),
    ("a follow-up", {PLANNED: "yes"}, [PLANNED]),
    ("a follow-up", {PLANNED: "no"}, []),
    ("a follow-up", {PLANNED: "unsure"}, ["clarify-pregnancy_planned"]),
    ("a follow-up", {PLANNED: "private"}, ["clarify-pregnancy_planned"]),
    ("a follow-up", {PLANNED: None}, ["clarify-pregnancy_planned"]),
    ("a follow-up that is closed", {"pregnancy": "yes"}, ["pregnancy"]),
    ("a follow-up that is closed", {"pregnancy": "unsure"}, ["clarify-pregnancy"]),
    ("a follow-up that is closed", {"pregnancy": "private"}, ["clarify-pregnancy"]),
    ("a follow-up that is closed", {"pregnancy": None}, ["clarify-pregnancy"]),
    ("two questions", {PLANNED: "yes", "iud": "yes"}, [PLANNED, "iud", BOTH]),
    ("two questions", {PLANNED: "unsure", "iud": "yes"}, ["clarify-pregnancy_planned", "iud"]),
    ("two questions", {PLANNED: "yes", "iud": "private"}, ["clarify-iud", PLANNED]),
    ("two questions", {PLANNED: "yes", "iud": None}, ["clarify-iud", PLANNED]),
    ("two questions", {"pregnancy": "yes", "iud": "yes"}, ["pregnancy", "iud"]),
]


@pytest.mark.parametrize(("about", "changes", "findings"), ROWS)
def test_rule(about: str, changes: dict[str, Any], findings: list[str]) -> None:
    assert findings_of(**changes) == findings


@pytest.mark.parametrize(
    ("value", "reason"), [("unsure", "not sure"), ("private", "in private"), (None, "No answer")]
)
@pytest.mark.parametrize("asked", READ_BY_RULES)
def test_a_clarify_finding_says_how_the_question_is_open_and_what_to_establish(
    asked: str, value: str | None, reason: str
) -> None:
    (finding,) = evaluate(book(), answers_of(book(), **all_no(**{asked: value}))).findings
    item = next(item for item in book().asked() if item.id == asked)
    assert (finding.rule, finding.answer, finding.severity) == (
        f"clarify-{asked}",
        asked,
        Severity.CLARIFY,
    )
    confirm = f"Alone with the patient: {item.clarify}" if value == "private" else item.clarify
    assert (finding.title, finding.confirm) == (item.topic, confirm)
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("asked", "facts"),
    [("infection", ["F5", "F17"]), ("iud", ["F11", "F10"]), (PLANNED, ["F10", "F11"])],
)
def test_a_clarify_finding_cites_the_facts_of_every_rule_that_reads_the_answer(
    asked: str, facts: list[str]
) -> None:
    (finding,) = evaluate(book(), answers_of(book(), **all_no(**{asked: "unsure"}))).findings
    assert [fact.id for fact in finding.cites] == facts


def test_unsure_about_pregnancy_asks_the_prescriber_to_clarify() -> None:
    assessment = evaluate(book(), answers_of(book(), **all_no(pregnancy="unsure")))
    assert assessment.outcome is Severity.CLARIFY
    assert [finding.answer for finding in assessment.of(Severity.CLARIFY)] == ["pregnancy"]


def test_no_to_everything_has_no_finding() -> None:
    assessment = evaluate(book(), answers_of(book(), **all_no()))
    assert assessment.outcome is Severity.NONE
    assert assessment.findings == ()


def test_nothing_answered_asks_to_clarify_every_question_and_never_a_closed_follow_up() -> None:
    assert [finding.rule for finding in evaluate(book(), answers_of(book())).findings] == [
        f"clarify-{question.id}" for question in book().questions
    ]


def test_severity_comes_before_the_order_of_the_questions() -> None:
    assert findings_of(pregnancy_planned="yes", infection="yes", iud="yes", vaccines="private") == [
        "infection",
        "clarify-vaccines",
        "pregnancy_planned",
        "iud",
        "iud_and_pregnancy_planned",
    ]


def test_the_outcome_is_the_most_severe_finding_and_each_severity_can_be_asked_for() -> None:
    assessment = evaluate(
        book(), answers_of(book(), **all_no(iud="yes", vaccines="yes", infection="yes"))
    )
    assert assessment.outcome is Severity.CONTRAINDICATION
    assert [finding.rule for finding in assessment.of(Severity.CAUTION)] == ["iud", "vaccines"]
    assert assessment.of(Severity.CLARIFY) == ()
    assert assessment.digest == book().edition.digest
