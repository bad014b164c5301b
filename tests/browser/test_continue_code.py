"""A patient without an invitation continues by a code on another small phone without JavaScript."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser import journey
from tests.browser.inspection import assert_accessible
from tests.browser.journey import OpenPage

PHONE = {"viewport": {"width": 320, "height": 568}}
STOP = "main [name=stop]"
SHOW_CODE = 'main form[action="/stop"] button'


def assert_as_wide_as_the_screen(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_from_one_phone_to_another_and_back(open_page: OpenPage) -> None:
    first = open_page(**PHONE)
    journey.jump_to(first, "infection")
    first.check("[name=infection][value=yes]")
    first.fill("[name=infection_since]", "Tuesday")
    first.eval_on_selector("[name=infection][value=yes]", "input => input.checked = false")
    journey.press(first, STOP)
    assert_accessible(first)
    journey.press(first, SHOW_CODE)
    assert_accessible(first)
    assert_as_wide_as_the_screen(first)
    code = first.inner_text(".reference")
    first.reload()
    expect(first.locator(".reference")).to_have_text(code)

    second = open_page(**PHONE, java_script_enabled=False)
    second.goto("/")
    journey.press(second, 'main a[href="/code"]')
    second.fill("[name=code]", f"{code[:-1]}?")
    journey.press_continue(second)
    journey.press_language(second, "es")
    expect(second.locator(".error-summary")).to_contain_text(
        "No encontramos respuestas con este código"
    )
    expect(second.locator("[name=code]")).to_have_value(f"{code[:-1]}?")
    journey.press_language(second, "en")
    second.fill("[name=code]", f" {code.lower().replace('-', ' ')}")
    journey.press_continue(second)
    assert journey.path(second) == "/questions/infection"
    expect(second.locator("[name=infection_since]")).to_have_value("Tuesday")

    first.reload()
    expect(first.locator("h1")).to_contain_text("another device")
    journey.press(first, "main a.primary")
    journey.press(first, 'main a[href="/code"]')
    assert_accessible(first)
    assert_as_wide_as_the_screen(first)
    first.fill("[name=code]", "1")
    journey.press_continue(first)
    assert_accessible(first, error=True)
    assert first.get_attribute(".error-summary a", "href") == "#code"
    journey.go_back(first)
    first.goto("/code")
    first.fill("[name=code]", code)
    journey.press_continue(first)
    assert journey.path(first) == "/questions/infection"
