"""Each page can switch the language, loses no typed text, and never switches by accident."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.inspection import assert_well_built
from tests.browser.journey import ANSWERS, BOOKS, QUESTIONS, SOMEONE

HALF_TYPED = {
    "name": "José Ñandú عمر",
    "birth_day": "31",
    "birth_month": "Feb",
    "visit": "<b>7</b>",
}


def test_switching_keeps_a_half_filled_about_you_page_and_complains_of_nothing(page: Page) -> None:
    journey.begin(page)
    for name, value in HALF_TYPED.items():
        page.fill(f"[name={name}]", value)
    for language in ("es", "en"):
        journey.press_language(page, language)
        assert_well_built(page, language=language)
        assert journey.filled_in(page) == HALF_TYPED
    page.goto("/about-you")
    assert journey.filled_in(page) == HALF_TYPED
    page.goto("/check")
    assert "Check your answers" not in page.content(), "nothing was saved"


def test_switching_keeps_a_half_answered_question_and_saves_nothing(page: Page) -> None:
    question = QUESTIONS[2]
    typed = {
        "infection": "unsure",
        "infection_symptoms": ("chills", "other"),
        "infection_since": "hace 3 días, it's",
    }
    journey.jump_to(page, question.id)
    journey.fill_question(page, question, typed)
    for language in ("es", "en"):
        journey.press_language(page, language)
        assert_well_built(page, language=language)
        assert page.inner_text("h1") == BOOKS[language].questions[2].ask
        assert journey.filled_in(page) == typed
        assert page.is_visible("[name=infection_since]")
    page.goto("/continue")
    assert journey.path(page) == f"/questions/{question.id}"
    assert journey.filled_in(page) == typed


def test_answers_given_in_one_language_are_listed_in_the_other(page: Page) -> None:
    journey.jump_to(page, "check")
    journey.press_language(page, "es")
    assert journey.path(page) == "/check"
    assert journey.listed(page)[3:] == journey.expected_rows(ANSWERS, "es")


@pytest.mark.audit
def test_every_page_without_inputs_stays_where_it_is_when_switched(page: Page) -> None:
    def switch_at(path: str) -> None:
        page.goto(path)
        for language in ("es", "en"):
            journey.press_language(page, language)
            assert journey.path(page) == path
            assert_well_built(page, language=language)

    for path in ("/", "/leaflet", "/no-such-page", "/check"):
        switch_at(path)
    journey.jump_to(page, QUESTIONS[0].id)
    switch_at(f"/questions/{QUESTIONS[-1].id}")
    page.goto("/continue")
    journey.answer_questions(page, ANSWERS)
    switch_at("/check")
    journey.send(page)
    for path in ("/done", "/copy", "/about-you"):
        switch_at(path)


def test_an_error_page_that_answers_a_post_can_be_switched_too(page: Page) -> None:
    journey.jump_to(page, "check")
    # starts again in another tab, so there is nothing to send here
    journey.begin(page.context.new_page())
    journey.press(page, journey.SEND)
    with page.expect_navigation() as switched:
        page.click("nav.languages button[value=es]")
    assert_well_built(page, language="es")
    assert switched.value.status == 200


def test_enter_in_a_text_field_continues_and_leaves_the_language_alone(page: Page) -> None:
    journey.begin(page)
    for field in ("name", "birth_day", "birth_month", "birth_year", "visit"):
        page.goto("/about-you")
        page.fill("[name=name]", "")
        with page.expect_navigation():
            page.press(f"[name={field}]", "Enter")
        assert_well_built(page, error=True)
        journey.fill_about_you(page, SOMEONE)
        with page.expect_navigation():
            page.press(f"[name={field}]", "Enter")
        assert journey.path(page) == f"/questions/{QUESTIONS[0].id}"
        assert_well_built(page)


def test_enter_on_a_choice_continues_and_leaves_the_language_alone(page: Page) -> None:
    journey.jump_to(page, "breastfeeding")
    page.check("[name=breastfeeding][value=no]")
    with page.expect_navigation():
        page.press("[name=breastfeeding][value=no]", "Enter")
    assert journey.path(page) == "/questions/infection"
    assert_well_built(page)
