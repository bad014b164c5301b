"""A prescriber works with the keyboard alone, and the focus is always visible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from tests.browser import colleague, journey
from tests.browser.colleague import PASSWORD, PRIMARY, RECORD
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer
from tests.browser.test_keyboard import FOCUS, enter, tab_to

NOTE = 'Typed by hand, "with" signs & <b>more</b>'


@pytest.mark.audit
def test_from_the_sign_in_to_a_recorded_decision_by_keyboard(
    open_page: OpenPage, server: LiveServer
) -> None:
    newcomer = colleague.add(server, "prescriber")
    reference = colleague.arrive(
        server, name="Keyboard Patient", infection="unsure", infection_symptoms=["fever"]
    )
    page = open_page(viewport=colleague.DESK)
    page.goto("/clinic/")
    type_into(page, "sign_in_name", newcomer.name)
    type_into(page, "password", newcomer.password)
    enter(page, PRIMARY)
    type_into(page, "password", newcomer.password)
    type_into(page, "new_password", PASSWORD)
    type_into(page, "new_password_confirm", PASSWORD)
    enter(page, PRIMARY)

    enter(page, 'nav.sections a[href="/clinic/"]')
    type_into(page, "search", "keyboard")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert colleague.references(page) == [reference]
    enter(page, f'.inbox a[href*="{reference}"]')

    enter(page, '.confirm a[href*="/clarify/infection"]')
    choose(page, "infection", "yes")
    tab_to(page, "[name=infection_symptoms][value=chills]")
    page.keyboard.press("Space")
    type_into(page, "infection_since", "Since Monday")
    type_into(page, "why", NOTE)
    enter(page, PRIMARY)
    assert colleague.outcome(page) == "contraindication"
    assert "Since Monday" in page.inner_text(".all-answers")
    assert NOTE in colleague.entries(page)[0]

    choose(page, "decision", "defer")
    later = datetime.now(UTC).date() + timedelta(days=30)
    type_into(page, "until", f"{later:%m%d%Y}")
    type_into(page, "note", NOTE)
    enter(page, RECORD)
    assert colleague.status(page) == "Reviewed"
    assert f"{later:%d-%b-%Y}" in colleague.entries(page)[1]
    assert NOTE in colleague.entries(page)[1]
    enter(page, colleague.SIGN_OUT)
    assert journey.path(page) == colleague.SIGN_IN


def test_filters_errors_and_tables_are_reached_by_keyboard(
    open_page: OpenPage, server: LiveServer
) -> None:
    colleague.arrive(server, name="Filtered Patient", pregnancy="yes", iud="unsure")
    page = colleague.at_work(
        open_page, server, "prescriber", viewport={"width": 320, "height": 640}
    )
    page.goto("/clinic/?outcome=contraindication")
    tab_to(page, "[name=show]")
    page.keyboard.press("ArrowDown")
    assert page.input_value("[name=show]") == "new"
    type_into(page, "since", "01022026")
    enter(page, ".filters button")
    assert "show=new&outcome=contraindication&" in page.url
    assert "&since=2026-01-02&" in page.url
    enter(page, ".inbox a")
    enter(page, RECORD)
    tab_to(page, '.error-summary a[href="#decision"]')
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.name") == "decision"
    page.goto("/clinic/statistics")
    tab_to(page, ".wide")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS, ".wide")["matches"]


def type_into(page: Page, name: str, words: str) -> None:
    """Go to a field with Tab and type."""
    tab_to(page, f"[name={name}]")
    page.keyboard.type(words)


def choose(page: Page, name: str, value: str) -> None:
    """Go to a group of radios with Tab and choose with the arrows."""
    tab_to(page, f"[name={name}]")
    page.keyboard.press("Space")
    for _ in page.locator(f"[name={name}]").all():
        if page.evaluate(FOCUS, f"[name={name}][value={value}]:checked")["matches"]:
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"{value} cannot be chosen on {page.url}")
