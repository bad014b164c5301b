"""After every error a page explains it kindly and leads on."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.inspection import assert_well_built
from tests.browser.journey import QUESTIONS
from tests.browser.server import LiveServer

WAY_ON = "main a.button.primary"


def status_of(page: Page, path: str) -> int:
    """Open the path, and return the status of the answer."""
    response = page.goto(path)
    assert response is not None
    return response.status


def status_after(page: Page, selector: str) -> int:
    """Click an element that leads to another page, and return the status of the answer."""
    with page.expect_navigation() as navigation:
        page.click(selector)
    return navigation.value.status


def assert_leads_to_a_new_beginning(page: Page) -> None:
    """Assert that the page is kind and that a patient can start again from it."""
    assert_well_built(page)
    assert page.locator("main p").count() > 1  # not a title alone
    journey.press(page, WAY_ON)
    assert journey.path(page) == "/"
    assert page.locator('main a[href$="/continue"]').count() == 0
    journey.press(page, journey.START)
    assert journey.path(page) == "/about-you"
    assert journey.filled_in(page) == {}


def test_cookies_cleared_half_way(page: Page) -> None:
    journey.jump_to(page, "infection")
    page.context.clear_cookies()
    assert status_of(page, "/questions/infection") == 410
    assert_leads_to_a_new_beginning(page)


def test_cookies_cleared_before_continue_is_pressed(page: Page) -> None:
    journey.jump_to(page, "infection")
    page.check("[name=infection][value=no]")
    page.context.clear_cookies()
    assert status_after(page, journey.CONTINUE) == 200
    journey.press(page, "main a.primary")
    assert_leads_to_a_new_beginning(page)


def test_cookies_cleared_before_sending_sends_nothing(page: Page, server: LiveServer) -> None:
    journey.jump_to(page, "check", journey.ALL_NO)
    sent = server.references()
    page.context.clear_cookies()
    assert status_after(page, journey.SEND) == 200
    assert_leads_to_a_new_beginning(page)
    assert server.references() == sent


def test_a_draft_that_has_expired(page: Page, server: LiveServer) -> None:
    journey.jump_to(page, "infection")
    page.check("[name=infection][value=no]")
    server.expire_drafts()
    assert status_after(page, journey.CONTINUE) == 410
    assert_leads_to_a_new_beginning(page)


def test_a_later_step_leads_back_to_the_open_one_with_everything_kept(page: Page) -> None:
    journey.jump_to(page, "breastfeeding")
    for path in ("/check", "/done", "/copy", f"/questions/{QUESTIONS[-1].id}"):
        assert status_of(page, path) == 409, path
        assert_well_built(page)
        journey.press(page, WAY_ON)
        assert journey.path(page) == "/questions/breastfeeding"
    page.goto(f"/questions/{QUESTIONS[0].id}")
    assert journey.filled_in(page) == journey.on_page(QUESTIONS[0], journey.ANSWERS)


def test_a_step_opened_without_ever_starting(page: Page) -> None:
    for path in ("/about-you", "/continue", "/done", "/copy", "/questions/pregnancy", "/check"):
        assert status_of(page, path) == 410, path
        assert_well_built(page)
    assert_leads_to_a_new_beginning(page)


def test_a_forged_token(page: Page, server: LiveServer) -> None:
    journey.jump_to(page, QUESTIONS[0].id)
    for token in ("forged", "A" * 43, "%00'--"):
        page.context.add_cookies([{"name": "draft", "value": token, "url": server.url}])
        assert status_of(page, "/check") == 410, token
        assert_well_built(page)
    assert_leads_to_a_new_beginning(page)


def test_a_forged_form_is_refused_and_can_be_sent_again_from_the_page_before(page: Page) -> None:
    journey.jump_to(page, "breastfeeding")
    page.locator("#page-form [name=csrf_token]").evaluate("input => input.value = 'forged'")
    page.check("[name=breastfeeding][value=no]")
    assert status_after(page, journey.CONTINUE) == 400
    assert_well_built(page)
    journey.go_back(page)
    page.reload()
    page.check("[name=breastfeeding][value=no]")
    journey.press_continue(page)
    assert journey.path(page) == "/questions/infection"


def test_far_too_much_text_is_refused_with_a_page_not_a_broken_connection(page: Page) -> None:
    journey.jump_to(page, "hypersensitivity")
    page.check("[name=hypersensitivity][value=yes]")
    page.locator("#page-form [name=csrf_token]").evaluate(
        "input => input.after(Object.assign("
        "  input.cloneNode(), { name: 'infection_since', value: 'x'.repeat(2e6) }"
        "))"
    )
    assert status_after(page, journey.CONTINUE) == 413
    assert_well_built(page)
    journey.press(page, WAY_ON)
    journey.press(page, 'main a[href$="/continue"]')
    assert journey.path(page) == "/questions/hypersensitivity"


def test_an_unknown_page(page: Page) -> None:
    assert status_of(page, "/no-such-page") == 404
    journey.press(page, WAY_ON)
    assert journey.path(page) == "/"
