"""A patient uses the keyboard alone, and the focus is always visible."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from screening.domain.rules import FollowUp, Kind, Question
from tests.browser import journey
from tests.browser.inspection import assert_well_built
from tests.browser.journey import ANSWERS, CONTINUE, QUESTIONS, SEND, SOMEONE, START

MOST_STOPS = 60
ABOUT_YOU = {  # in the order of the English page
    "name": "José O'Hara <b>",
    "birth_month": SOMEONE.month,
    "birth_day": SOMEONE.day,
    "birth_year": SOMEONE.year,
    "visit": SOMEONE.visit,
}
# Whether the focused element matches the selector, has a visible ring and is on the screen; null
# without focus.
FOCUS = """selector => {
  const focused = document.activeElement;
  if (focused === document.body) return null;
  // The button inside a date has a ring of the browser's own, which no script can see.
  const isDate = focused.matches("[type=date]:not(:focus)");
  const ringed = isDate || [focused, focused.closest(".choice")].some(element => {
    const style = element && getComputedStyle(element);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
  const { top, bottom, left, right } = focused.getBoundingClientRect();
  const inHeight = top > -1 && bottom < innerHeight + 1;
  const inWidth = left > -1 && right < innerWidth + 1;
  return {
    matches: focused.matches(selector),
    visible: ringed && inHeight && inWidth,
    html: focused.outerHTML.slice(0, 120),
  };
}"""


def test_the_whole_way_by_keyboard(page: Page) -> None:
    page.goto("/")
    enter(page, START)
    for field, typed in ABOUT_YOU.items():
        tab_to(page, f"[name={field}]")
        page.keyboard.type(typed)
    enter(page, CONTINUE)
    for question in QUESTIONS:
        for item in question.page:
            answer_by_keyboard(page, item)
        enter(page, CONTINUE)
    assert journey.listed(page)[3:] == journey.expected_rows(ANSWERS, "en")
    enter(page, SEND)
    assert journey.REFERENCE.fullmatch(journey.reference(page))
    enter(page, 'a[href$="/copy"]')
    assert journey.listed(page)[5:] == journey.expected_rows(ANSWERS, "en")
    enter(page, journey.BACK)
    enter(page, journey.FINISH)
    assert journey.path(page) == "/finished"


def test_the_language_can_be_switched_by_keyboard(page: Page) -> None:
    journey.begin(page)
    enter(page, "button[name=language][value=es]")
    assert_well_built(page, language="es")


def test_each_line_of_the_error_summary_leads_into_its_field(page: Page) -> None:
    journey.begin(page)
    journey.press_continue(page)
    for target in ("name", "birth_month"):
        tab_to(page, f'.error-summary a[href="#{target}"]')
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == target
        page.focus(".error-summary")


def test_errors_are_focused_again_after_a_line_of_the_summary_was_followed(page: Page) -> None:
    journey.begin(page)
    journey.press_continue(page)
    page.click(".error-summary a")
    journey.press_continue(page)
    assert_well_built(page, error=True)


def test_errors_are_focused_after_the_skip_link_was_used(page: Page) -> None:
    journey.begin(page)
    tab_to(page, ".skip")
    page.keyboard.press("Enter")
    journey.press_continue(page)
    assert_well_built(page, error=True)


def test_the_skip_link_is_first_and_leads_past_the_top(page: Page) -> None:
    journey.begin(page)
    page.keyboard.press("Tab")
    focus = page.evaluate(FOCUS, ".skip")
    assert focus["matches"]
    assert focus["visible"]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_closed_follow_ups_are_not_stops(page: Page) -> None:
    journey.jump_to(page, "infection")
    page.check("[name=infection][value=no]")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS, CONTINUE)["matches"]


def test_focus_is_visible_in_a_browser_that_does_not_know_has(page: Page) -> None:
    page.route("**/app.css*", journey.without_has)
    journey.jump_to(page, QUESTIONS[0].id)
    tab_to(page, CONTINUE)


def answer_by_keyboard(page: Page, item: Question | FollowUp) -> None:
    """Choose radios with the arrows, tick boxes with space, and type text."""
    value = ANSWERS.get(item.id, ())
    match item.kind:
        case Kind.ONE:
            tab_to(page, f"[name={item.id}]")
            place = [option.id for option in item.options].index(str(value))
            page.keyboard.press("Space")
            for _ in range(place):
                page.keyboard.press("ArrowDown")
            assert page.evaluate(FOCUS, f"[name={item.id}][value={value}]:checked")["matches"]
        case Kind.SEVERAL:
            for choice in value:
                tab_to(page, f"[name={item.id}][value={choice}]")
                page.keyboard.press("Space")
        case Kind.TEXT:
            tab_to(page, f"[name={item.id}]")
            page.keyboard.type(str(value))


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, which must be visible at each stop before it."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS, selector)
        assert focus is None or focus["visible"], focus
        if focus is not None and focus["matches"]:
            return
    pytest.fail(f"{selector} cannot be reached with Tab on {page.url}")


def enter(page: Page, selector: str) -> None:
    """Go to an element with Tab and press Enter, which must lead to another page."""
    tab_to(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")
