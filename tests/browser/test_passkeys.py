"""Passkeys in a real browser, whose authenticator is a virtual one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserType, Page

from tests.browser import colleague, journey
from tests.browser.inspection import assert_accessible
from tests.browser.server import SHELL, LiveServer, launch_options

NEW = "main form button.primary"
OFFER = "form[data-passkey-offer] button"


@pytest.fixture(scope="module")
def browser(browser_type: BrowserType) -> Iterator[Browser]:
    """Launch a browser that knows `localhost`, too: there are no passkeys at numbers."""
    options = launch_options(SHELL)
    options["args"] = [
        f"{arg}, EXCLUDE localhost" if "host-resolver" in arg else arg for arg in options["args"]
    ]
    browser = browser_type.launch(**options)
    yield browser
    browser.close()


def with_authenticator(browser: Browser, server: LiveServer) -> Page:
    """Open a page in a new browser context with a device that asks for a fingerprint."""
    page = browser.new_context(
        base_url=server.url.replace("127.0.0.1", "localhost"),
        viewport={"width": 360, "height": 740},
    ).new_page()
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return page


def test_a_passkey_is_made_and_signs_in(browser: Browser, server: LiveServer) -> None:
    person = colleague.settled(server, "prescriber")
    page = with_authenticator(browser, server)
    colleague.sign_in(page, person.name, person.password)
    page.goto("/account/")
    page.click("text=Passkeys")
    make(page)
    journey.press(page, colleague.SIGN_OUT)
    page.goto("/clinic/statistics")
    assert journey.path(page) == colleague.SIGN_IN
    page.click(OFFER)
    page.wait_for_url("**/clinic/statistics")


def make(page: Page) -> None:
    """Make a passkey on the page for it."""
    page.fill("[name=name]", "PC in room 2")
    page.click(NEW)
    page.wait_for_url("**/recovery-codes?show_codes=1")


@pytest.mark.audit
def test_the_pages_about_passkeys_are_accessible(browser: Browser, server: LiveServer) -> None:
    person = colleague.settled(server, "prescriber")
    page = with_authenticator(browser, server)
    page.goto(colleague.SIGN_IN)
    assert_accessible(page)
    page.click(OFFER)
    page.wait_for_selector("text=No passkey was used")
    assert_accessible(page)
    colleague.sign_in(page, person.name, person.password)
    page.goto("/account/passkeys")
    assert_accessible(page)
    journey.press(page, NEW)
    assert_accessible(page, error=True)
    make(page)
    assert_accessible(page)
    page.goto("/account/passkeys")
    assert "PC in room 2" in page.inner_text("main")
    assert_accessible(page)


def test_without_a_passkey_the_page_says_so_and_the_password_goes_on(
    browser: Browser, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    page = with_authenticator(browser, server)
    page.goto(colleague.SIGN_IN)
    page.click(OFFER)
    page.wait_for_selector("text=No passkey was used")
    page.click("text=Use your password instead")
    colleague.give_password(page, person.name, person.password)
    assert journey.path(page) == "/clinic/"


def test_where_browsers_allow_no_passkeys_none_is_offered(
    browser: Browser, server: LiveServer
) -> None:
    page = browser.new_context(base_url=server.url).new_page()
    page.goto(colleague.SIGN_IN)
    assert page.locator(OFFER).count() == 0
