"""Entries of professionals stand beside what the patient said, and the last of them counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from screening.domain.answers import read_answers
from screening.domain.assessment import Screening
from screening.domain.entries import Clarification, Decision, Entry, Review
from screening.domain.evaluate import evaluate
from screening.domain.rules import Severity
from tests.builders import a_patient, answers_of
from tests.unit.small_book import all_no, book

SENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def clarified(question: str, *, hours: int = 1, **values: Any) -> Clarification:
    asked = book().question(question)
    assert asked is not None
    items = tuple(item.id for item in asked.page)
    answers = read_answers(book(), values)
    return Clarification(
        by="Dr A", at=SENT + timedelta(hours=hours), items=items, answers=answers, why="asked"
    )


def decided(decision: Decision = Decision.PROCEED) -> Review:
    return Review(by="Dr A", at=SENT + timedelta(hours=2), decision=decision)


def screening(*entries: Entry, **values: Any) -> Screening:
    return Screening(
        reference="7F3K-9QWD",
        submitted_at=SENT,
        language="en",
        patient=a_patient(),
        answers=answers_of(book(), **all_no(**values)),
        digest=book().edition.digest,
        entries=entries,
    )


@pytest.mark.parametrize("said", ["yes", "unsure", "private", None])
@pytest.mark.parametrize(
    ("established", "outcome"),
    [("yes", Severity.CONTRAINDICATION), ("unsure", Severity.CLARIFY), ("no", Severity.NONE)],
)
def test_what_was_established_decides_whatever_the_patient_said(
    said: str | None, established: str, outcome: Severity
) -> None:
    reviewed = screening(clarified("infection", infection=established), infection=said)
    assert evaluate(book(), reviewed.established).outcome is outcome
    assert reviewed.answers.value("infection") == said


def test_a_clarification_replaces_the_whole_page_of_its_question() -> None:
    reviewed = screening(
        clarified("pregnancy", pregnancy="yes"), pregnancy="no", pregnancy_planned="yes"
    )
    assert reviewed.established.value("pregnancy_planned") is None
    assert reviewed.answers.value("pregnancy_planned") == "yes"
    assert [finding.rule for finding in evaluate(book(), reviewed.established).findings] == [
        "pregnancy"
    ]


def test_a_follow_up_that_the_clarification_leaves_out_is_still_open() -> None:
    reviewed = screening(clarified("pregnancy", pregnancy="no"), pregnancy="yes")
    assert evaluate(book(), reviewed.established).outcome is Severity.CLARIFY


def test_the_last_clarification_of_a_question_counts() -> None:
    entries = (
        clarified("iud", iud="yes", iud_type="copper"),
        decided(),
        clarified("iud", hours=3, iud="no"),
    )
    reviewed = screening(*entries)
    assert reviewed.established.value("iud") == "no"
    assert reviewed.established.value("iud_type") is None
    assert reviewed.known_since("iud_type") == SENT + timedelta(hours=3)
    assert reviewed.known_since("vaccines") == SENT


def test_a_decision_stands_until_something_is_clarified_after_it() -> None:
    assert screening().review is None
    assert screening(decided()).review == decided()
    assert screening(decided(), decided(Decision.DO_NOT_START)).review == decided(
        Decision.DO_NOT_START
    )
    assert screening(decided(), clarified("iud", iud="no")).review is None


def test_an_answer_is_outdated_only_after_its_hours_and_fresh_again_once_established() -> None:
    asked = book().question("infection")
    assert asked is not None
    end = SENT + timedelta(hours=asked.valid_for_hours)
    assert not screening().outdated(asked, end)
    assert screening().outdated(asked, end + timedelta(seconds=1))
    assert not screening(clarified("infection", hours=5, infection="no")).outdated(
        asked, end + timedelta(seconds=1)
    )
