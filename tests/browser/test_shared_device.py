"""On a device that the next patient uses, nothing of the last patient can be brought back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import journey
from tests.browser.journey import ANSWERS, FINISH, START, Person

LAST_PATIENT = Person(name="Markéta Lastová", visit="V-LAST-77", day="29", month="2", year="1972")
TYPED = "Typed by the last patient"
MARKS = ("Lastov", "V-LAST-77", "1972", TYPED)
LAST_ANSWERS = {
    **ANSWERS,
    "infection_since": TYPED,
    "hypersensitivity_reaction": TYPED,
    "vaccines_which": TYPED,
}


@pytest.fixture(scope="session")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


def assert_nothing_left(page: Page, *marks: str) -> None:
    """Assert that neither page nor inputs show any of the marks, and that nothing is chosen."""
    script = "inputs => inputs.map(input => input.value)"
    held = [page.content(), *page.locator("input[type=text], textarea").evaluate_all(script)]
    assert [mark for mark in (*MARKS, *marks) if any(mark in text for text in held)] == [], page.url
    assert page.locator("input:checked").count() == 0, page.url


def go_back_to_the_first_page(page: Page, *marks: str) -> None:
    """Press Back and reload at every page of this tab's history; none may show anything."""
    for _ in range(page.evaluate("history.length") - 2):  # the first entry is the empty tab
        journey.go_back(page)
        assert_nothing_left(page, *marks)
        page.reload()
        assert_nothing_left(page, *marks)
    assert journey.path(page) == "/"


def test_after_finish_neither_back_nor_reload_shows_anything(page: Page) -> None:
    journey.walk_to(page, "check", LAST_ANSWERS, LAST_PATIENT)
    reference = journey.send(page)
    journey.press(page, 'a[href$="/copy"]')
    assert TYPED in page.content()
    journey.press(page, journey.BACK)
    journey.press(page, FINISH)
    assert_nothing_left(page, reference)
    assert page.locator('main a[href$="/continue"]').count() == 0
    go_back_to_the_first_page(page, reference)


@pytest.mark.audit
def test_after_finish_the_next_patient_meets_empty_pages(page: Page) -> None:
    journey.walk_to(page, "check", LAST_ANSWERS, LAST_PATIENT)
    reference = journey.send(page)
    journey.press(page, FINISH)
    page.goto("/")
    journey.press(page, START)
    assert_nothing_left(page, reference)
    journey.go_back(page)
    journey.go_back(page)
    assert_nothing_left(page, reference)
    journey.begin(page)
    journey.fill_about_you(page, Person(name="Next Patient"))
    journey.press_continue(page)
    while (question := journey.current_question(page)) is not None:
        assert_nothing_left(page, reference)
        journey.fill_question(page, question, journey.ALL_NO)
        journey.press_continue(page)
    assert_nothing_left(page, reference)


@pytest.mark.audit
def test_starting_again_leaves_nothing_of_answers_that_were_not_sent(page: Page) -> None:
    journey.walk_to(page, "hypersensitivity", LAST_ANSWERS, LAST_PATIENT)
    page.check("[name=hypersensitivity][value=yes]")
    page.fill("[name=hypersensitivity_reaction]", TYPED)
    journey.begin(page)
    assert_nothing_left(page)
    go_back_to_the_first_page(page)
