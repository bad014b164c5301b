"""Every page in every state: sound structure, and no report of axe, in light and in dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from screening.domain.answers import NAME_LENGTH, TEXT_LENGTH, VISIT_LENGTH
from screening.domain.rules import Question
from tests.browser import journey
from tests.browser.inspection import assert_accessible, assert_well_built
from tests.browser.journey import ANSWERS, QUESTIONS, OpenPage, Person
from tests.browser.server import LiveServer


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Open a screen of 1280 x 1024 px at 400 % zoom, which equals one of 320 x 256 px."""
    return open_page(viewport={"width": 320, "height": 256})


def test_start_page_with_and_without_answers_to_go_on_with(page: Page) -> None:
    page.goto("/")
    assert_accessible(page)
    journey.press(page, journey.START)
    page.goto("/")
    assert_accessible(page)


def test_about_you_empty_and_with_every_field_at_fault(page: Page) -> None:
    journey.begin(page)
    assert_accessible(page)
    journey.press_continue(page)
    assert_accessible(page, error=True)
    too_long = Person(
        name="N" * (NAME_LENGTH + 1), day="31", month="feb", visit="7" * (VISIT_LENGTH + 1)
    )
    journey.fill_about_you(page, too_long)
    journey.press_continue(page)
    assert_accessible(page, error=True)
    assert page.locator(".error-summary a").count() == 3


def test_each_fault_of_a_date_of_birth_leads_to_its_own_field(page: Page) -> None:
    wrong = {
        "birth_day": [
            ("", "3", "1985"),
            ("32", "3", "1985"),
            ("30", "Feb", "1985"),
            ("x", "3", "1985"),
        ],
        "birth_month": [("12", "", "1985"), ("12", "13", "1985"), ("12", "Marchember", "1985")],
        "birth_year": [
            ("12", "3", ""),
            ("12", "3", "85"),
            ("12", "3", "9999"),
            ("12", "3", "1066"),
        ],
    }
    journey.begin(page)
    for field, dates in wrong.items():
        for day, month, year in dates:
            journey.fill_about_you(page, Person(name="Someone", day=day, month=month, year=year))
            journey.press_continue(page)
            assert_well_built(page, error=True)
            assert page.get_attribute(".error-summary a", "href") == f"#{field}", (day, month, year)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_question_page_plain_opened_and_with_each_error(page: Page, question: Question) -> None:
    journey.jump_to(page, question.id)
    assert_accessible(page)
    journey.press_continue(page)
    assert_accessible(page, error=True)
    for opening in sorted({sorted(follow_up.when)[-1] for follow_up in question.follow_ups}):
        journey.press(page, journey.BACK)  # discards the refused values
        page.goto(f"/questions/{question.id}")
        page.check(f"[name={question.id}][value={opening}]")
        assert_accessible(page)
        for text in page.locator("textarea:visible").all():
            text.fill("x" * (TEXT_LENGTH + 1))
        journey.press_continue(page)
        assert_accessible(page, error=True)


def test_check_done_copy_leaflet_and_already_sent(page: Page) -> None:
    journey.jump_to(page, "check")
    assert_accessible(page)
    journey.send(page)
    assert_accessible(page)
    for path in ("/copy", "/leaflet"):
        page.goto(path)
        assert_accessible(page)
    response = page.goto(f"/questions/{QUESTIONS[0].id}")
    assert response is not None
    assert response.status == 409
    assert_accessible(page)


def test_error_pages(page: Page, server: LiveServer) -> None:
    def opened(path: str) -> int:
        response = page.goto(path)
        assert response is not None
        return response.status

    assert opened("/no-such-page") == 404
    assert_accessible(page)
    assert opened("/submit") == 405
    assert_accessible(page)
    assert opened("/check") == 410
    assert_accessible(page)
    journey.begin(page)
    page.locator("#page-form [name=csrf_token]").evaluate("input => input.value = 'forged'")
    journey.press_continue(page)
    assert_accessible(page)
    journey.jump_to(page, QUESTIONS[0].id)
    assert opened(f"/questions/{QUESTIONS[-1].id}") == 409
    assert_accessible(page)
    server.expire_drafts()
    assert opened(f"/questions/{QUESTIONS[0].id}") == 410
    assert_accessible(page)


def test_in_spanish_too(page: Page) -> None:
    page.goto("/")
    journey.press_language(page, "es")
    assert_accessible(page, language="es")
    journey.press(page, journey.START)
    journey.press_continue(page)
    assert_accessible(page, language="es", error=True)
    journey.fill_about_you(page, journey.SOMEONE)
    journey.press_continue(page)
    journey.press_continue(page)
    assert_accessible(page, language="es", error=True)
    journey.answer_questions(page, ANSWERS)
    assert_accessible(page, language="es")
    page.goto("/leaflet")
    assert_accessible(page, language="es")
