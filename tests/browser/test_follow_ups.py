"""Follow-ups open under their choice by CSS alone; the server drops the values of closed ones."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.journey import ALL_NO, ANSWERS, QUESTIONS


def test_a_follow_up_shows_exactly_while_a_choice_that_opens_it_is_chosen(page: Page) -> None:
    journey.jump_to(page, QUESTIONS[0].id)
    for question in QUESTIONS:
        for follow_up in question.follow_ups:
            assert not page.is_visible(f"[name={follow_up.id}] >> nth=0"), follow_up.id
        for option in (*question.options, *reversed(question.options)):
            page.check(f"[name={question.id}][value={option.id}]")
            for follow_up in question.follow_ups:
                opened = option.id in follow_up.when
                assert page.is_visible(f"[name={follow_up.id}] >> nth=0") is opened, (
                    follow_up.id,
                    option.id,
                )
        journey.fill_question(page, question, ANSWERS)
        journey.press_continue(page)


def test_what_was_typed_in_a_follow_up_that_was_closed_again_is_dropped(page: Page) -> None:
    journey.jump_to(page, "infection", ALL_NO)
    journey.fill_question(page, QUESTIONS[2], ANSWERS | {"infection_since": "TYPED-THEN-CLOSED"})
    journey.answer_questions(page, ALL_NO)
    assert journey.path(page) == "/check"
    assert journey.listed(page)[3:] == journey.expected_rows(ALL_NO, "en")
    assert "TYPED-THEN-CLOSED" not in page.content()
    page.goto("/questions/infection")
    assert journey.filled_in(page) == {"infection": "no"}


def test_a_browser_that_does_not_know_has_shows_every_follow_up_under_its_condition(
    page: Page,
) -> None:
    page.route("**/app.css*", journey.without_has)
    journey.jump_to(page, QUESTIONS[0].id)
    for question in QUESTIONS:
        labels = {option.id: option.label for option in question.options}
        for follow_up in question.follow_ups:
            assert page.is_visible(f"[name={follow_up.id}] >> nth=0")
            condition = page.locator(
                ".follow-up", has=page.locator(f"[name={follow_up.id}]")
            ).locator(".condition")
            assert condition.is_visible()
            assert all(labels[choice] in condition.inner_text() for choice in follow_up.when)
        journey.fill_question(page, question, {**ANSWERS, question.id: "private"})
        journey.press_continue(page)
    assert [answer for _, answer in journey.listed(page)[3:]] == [labels["private"]] * len(
        QUESTIONS
    )
