"""An invited patient whose browser keeps no cookies."""

from __future__ import annotations

from playwright.sync_api import BrowserContext

from tests.browser import colleague, journey
from tests.browser.server import LiveServer
from tests.browser.test_coming_back import without_cookies  # noqa: F401
from tests.integration.invitations.test_invitations import invited


def test_a_browser_that_keeps_no_cookies_is_told_what_to_do(
    without_cookies: BrowserContext,  # noqa: F811
    server: LiveServer,
) -> None:
    page = without_cookies.new_page()
    _made, link = invited(colleague.application(server))
    page.goto(link)
    for part, value in (("day", "12"), ("month", "3"), ("year", "1988")):
        page.fill(f"[name=birth_{part}]", value)
    journey.press_continue(page)
    assert page.inner_text("h1") == "Your browser does not keep cookies"
