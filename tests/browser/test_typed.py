"""Real input on a small phone: neither a script nor an invisible character stops a patient."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page

from tests.browser import journey

# Typed text, and the text of the check page. Each was once refused or printed in pieces.
NAMES = {
    "தமிழ் செல்வன்": "தமிழ் செல்வன்",
    "বাংলা রহমান": "বাংলা রহমান",
    "ሰላም ተስፋዬ": "ሰላም ተስፋዬ",
    "नमस्ते श्रीनिवासन्": "नमस्ते श्रीनिवासन्",
    "محمد عبد الرحمن الأحمد": "محمد عبد الرحمن الأحمد",
    "\u200fדוד לוי": "דוד לוי",
    "Ana\u200bRuiz": "AnaRuiz",
}
SINCE = {"since\u200b Monday": "since Monday", "منذ\u200f 3 أيام": "منذ 3 أيام"}
REACTION = "حساسية بعد 50 mg"


OTHERS = [pytest.param(name, marks=pytest.mark.audit) for name in list(NAMES)[1:]]


@pytest.mark.parametrize("typed", [next(iter(NAMES)), *OTHERS], ids=ascii)
def test_a_name_in_any_letters_is_taken_at_once(page: Page, typed: str) -> None:
    journey.begin(page)
    journey.fill_about_you(page, replace(journey.SOMEONE, name=typed))
    journey.press_continue(page)
    assert journey.current_question(page) == journey.QUESTIONS[0]
    page.goto("/about-you")
    assert page.input_value("[name=name]") == NAMES[typed]


def test_what_cannot_be_seen_in_an_answer_is_gone_and_the_rest_is_as_typed(page: Page) -> None:
    for typed, seen in SINCE.items():
        answers = {
            **journey.ANSWERS,
            "infection_since": typed,
            "hypersensitivity_reaction": REACTION,
        }
        journey.jump_to(page, "infection", answers)
        journey.answer_questions(page, answers)
        listed = dict(journey.listed(page))
        assert seen in listed.values()
        assert REACTION in listed.values()
