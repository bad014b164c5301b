"""Back, reload, a second tab, a pause, another answer: answers stay unless they no longer apply."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page

from screening.domain.rules import Question
from tests.browser import journey
from tests.browser.journey import ANSWERS, BOOKS, QUESTIONS, SOMEONE

CHANGE = "dd.change a"
RESUME = 'main a[href$="/continue"]'


@pytest.fixture(scope="session")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


def saved_on(page: Page, question: Question) -> bool:
    """Return whether the browser is at that question with its answers filled in."""
    is_at_question = journey.path(page) == f"/questions/{question.id}"
    return is_at_question and journey.filled_in(page) == journey.on_page(question, ANSWERS)


def test_back_forward_and_reload_show_what_was_answered(page: Page) -> None:
    journey.walk_to(page, "hypersensitivity")
    for question in reversed(QUESTIONS[:3]):
        journey.go_back(page)
        assert saved_on(page, question)
        page.reload()
        assert saved_on(page, question)
    journey.press_continue(page)
    assert saved_on(page, QUESTIONS[1])


def test_the_back_link_leads_through_the_pages_in_reverse(page: Page) -> None:
    journey.jump_to(page, "hypersensitivity")
    for question in reversed(QUESTIONS[:3]):
        journey.press(page, journey.BACK)
        assert saved_on(page, question)
    journey.press(page, journey.BACK)
    assert journey.path(page) == "/about-you"
    assert journey.filled_in(page)["name"] == SOMEONE.name
    journey.press(page, journey.BACK)
    assert journey.path(page) == "/"


def test_reloading_a_page_with_errors_keeps_what_was_typed(page: Page) -> None:
    typed = {"name": "José O'Hara", "birth_month": "marzo", "visit": "<7>"}
    journey.begin(page)
    for name, value in typed.items():
        page.fill(f"[name={name}]", value)
    journey.press_continue(page)
    assert journey.filled_in(page) == typed
    page.reload()
    assert journey.filled_in(page) == typed


def test_each_answer_puts_off_when_the_device_forgets(page: Page) -> None:
    journey.jump_to(page, "breastfeeding")
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "draft"]
    soon = time.time() + 60
    page.context.add_cookies([{**cookie, "expires": soon}])
    page.check("[name=breastfeeding][value=no]")
    journey.press_continue(page)
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "draft"]
    assert cookie["expires"] > soon


def test_two_tabs_at_different_questions_lose_none_of_the_answers(page: Page) -> None:
    journey.jump_to(page, "breastfeeding")
    other_tab = page.context.new_page()
    other_tab.goto("/")
    journey.press(other_tab, RESUME)
    journey.answer_questions(other_tab, ANSWERS, until="hypersensitivity")
    page.bring_to_front()  # a tab behind another one is slow
    page.check("[name=breastfeeding][value=no]")
    journey.press_continue(page)
    assert saved_on(page, QUESTIONS[2])
    journey.press_continue(page)
    journey.answer_questions(page, ANSWERS)
    assert journey.listed(page)[3:] == journey.expected_rows(
        {**ANSWERS, "breastfeeding": "no"}, "en"
    )
    other_tab.bring_to_front()
    other_tab.reload()
    journey.answer_questions(other_tab, ANSWERS)
    assert journey.listed(other_tab) == journey.listed(page)


def test_the_start_page_offers_to_go_on_or_to_start_again(page: Page) -> None:
    journey.jump_to(page, "infection")
    page.goto("/")
    journey.press(page, RESUME)
    assert journey.path(page) == "/questions/infection"
    journey.begin(page)
    assert journey.filled_in(page) == {}
    page.goto("/continue")
    assert journey.path(page) == "/about-you"


def test_every_change_link_leads_to_its_own_page_and_back_to_the_check_page(page: Page) -> None:
    journey.jump_to(page, "check")
    before = journey.listed(page)
    leads_to = page.locator(CHANGE).evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    asked_questions = [
        question for question in QUESTIONS for _ in journey.on_page(question, ANSWERS)
    ]
    assert leads_to == ["/about-you"] * 3 + [
        f"/questions/{question.id}" for question in asked_questions
    ]
    for question in QUESTIONS:
        journey.press(page, f"{CHANGE} >> nth={3 + asked_questions.index(question)}")
        assert saved_on(page, question)
        journey.press_continue(page)
        assert journey.path(page) == "/check"
    assert journey.listed(page) == before


def test_a_changed_name_returns_to_the_check_page(page: Page) -> None:
    journey.jump_to(page, "check")
    journey.press(page, f"{CHANGE} >> nth=0")
    page.fill("[name=name]", "Ana María")
    journey.press_continue(page)
    assert journey.path(page) == "/check"
    assert journey.listed(page)[0][1] == "Ana María"
    assert journey.listed(page)[3:] == journey.expected_rows(ANSWERS, "en")


def test_back_from_a_change_leads_to_the_check_page(page: Page) -> None:
    journey.jump_to(page, "check")
    journey.press(page, f"{CHANGE} >> nth=3")
    journey.press(page, journey.BACK)
    assert journey.path(page) == "/check"


def test_changing_pregnancy_to_yes_drops_the_planned_pregnancy(page: Page) -> None:
    journey.jump_to(page, "check")
    assert BOOKS["en"].questions[0].follow_ups[0].ask in page.inner_text("main")
    journey.press(page, f"{CHANGE} >> nth=3")
    page.check("[name=pregnancy][value=yes]")
    journey.press_continue(page)
    expected = {**ANSWERS, "pregnancy": "yes"}
    assert journey.path(page) == "/check"
    assert journey.listed(page)[3:] == journey.expected_rows(expected, "en")
    journey.send(page)
    page.goto("/copy")
    assert journey.listed(page)[5:] == journey.expected_rows(expected, "en")
