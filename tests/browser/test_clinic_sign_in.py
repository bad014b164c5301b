"""Signing in and out: passwords, a second factor, sign-ins that end, and a pause in which nothing typed is lost."""

from __future__ import annotations

import http
import time

from passlib.totp import TOTP
from playwright.sync_api import Page

from tests.browser import colleague, journey
from tests.browser.colleague import CODE, PRIMARY, RECORD, SIGN_IN
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer

SET_UP = "/account/second-factor"
RECOVERY = 'main a[href*="/recovery"]'
RECOVERY_CODES = 'main a[href$="/recovery-codes"]'
STEP = 30  # seconds for which an app shows one code
NOTE = 'Typed before the pause,\nwith "signs" & <b>more</b>'


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = open_page()
    answers = []
    for name in (colleague.add(server, "staff").name, "nobody-of-that-name"):
        colleague.sign_in(page, name, "not the password")
        assert journey.path(page) == SIGN_IN
        assert page.input_value("[name=sign_in_name]") == name
        assert page.input_value("[name=password]") == ""
        answers.append((page.title(), page.inner_text("body")))
    assert answers[0] == answers[1]
    assert page.locator(".error-summary li").count() == 1


def test_signing_in_leads_on_to_where_one_was_going(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = open_page()
    page.goto("/clinic/?show=all&outcome=caution")
    assert journey.path(page) == SIGN_IN
    colleague.give_password(page, somebody.name, "mistyped first")
    colleague.give_password(page, somebody.name, somebody.password)
    assert page.url.endswith("/clinic/?show=all&outcome=caution")


def test_a_code_of_the_app_is_good_for_one_sign_in_and_so_is_a_recovery_code(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, somebody=somebody)
    key = set_up(page)
    assert journey.path(page) == "/account/recovery-codes"
    recovery = page.locator("main .password li").all_inner_texts()
    code = code_of(key, steps=1)  # the one shown now was used to set it up

    other = open_page()
    colleague.sign_in(other, somebody.name, somebody.password)
    assert journey.path(other) == CODE
    other.goto("/clinic/")
    assert journey.path(other) == SIGN_IN  # the password alone is not enough
    colleague.give_password(other, somebody.name, somebody.password)
    give_code(other, code)
    assert journey.path(other) == "/clinic/"

    thief = open_page()
    colleague.sign_in(thief, somebody.name, somebody.password)
    give_code(thief, code)
    assert journey.path(thief) == CODE
    assert thief.locator(".error-summary").count() == 1

    journey.press(thief, RECOVERY)
    give_code(thief, recovery[0])
    assert journey.path(thief) == "/clinic/"
    again = open_page()
    colleague.sign_in(again, somebody.name, somebody.password)
    journey.press(again, RECOVERY)
    give_code(again, recovery[0])
    assert journey.path(again) == "/account/recovery"
    assert again.locator(".error-summary").count() == 1


def test_the_second_factor_leads_on_to_where_one_was_going_too(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    key = set_up(colleague.at_work(open_page, server, somebody=somebody))
    page = open_page()
    page.goto("/clinic/statistics")
    colleague.give_password(page, somebody.name, somebody.password)
    give_code(page, "000000")
    give_code(page, code_of(key, steps=1))
    assert journey.path(page) == "/clinic/statistics"


def test_a_mistyped_code_sets_nothing_up_and_can_be_corrected(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, somebody=colleague.settled(server, "prescriber"))
    page.goto(SET_UP)
    journey.press(page, "main button[value=authenticator]")
    give_code(page, "000000")
    assert page.locator(".error-summary").count() == 1
    page.goto("/account/")
    assert page.locator(RECOVERY_CODES).count() == 0
    set_up(page)
    page.goto("/account/")
    assert page.locator(RECOVERY_CODES).count() == 1


def test_whoever_must_have_a_second_factor_is_led_to_set_it_up(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, somebody=somebody)
    colleague.people(server, "require-totp", somebody.name)
    for path in ("/clinic/", "/clinic/statistics", "/account/"):
        page.goto(path)
        assert journey.path(page) == SET_UP
    set_up(page)
    page.goto("/clinic/statistics")
    assert journey.path(page) == "/clinic/statistics"


def test_a_second_factor_required_before_the_first_sign_in_is_set_up_there(
    open_page: OpenPage, server: LiveServer
) -> None:
    newcomer = colleague.add(server, "prescriber")
    colleague.people(server, "require-totp", newcomer.name)
    page = open_page()
    colleague.sign_in(page, newcomer.name, newcomer.password)
    set_up(page)
    page.goto("/clinic/")
    colleague.choose_password(page, newcomer.password)
    page.goto("/clinic/")
    assert journey.path(page) == "/clinic/"


def assert_over(there: Page, *, not_for: Page) -> None:
    """That one sign-in of two is over at the next request, and the other one goes on."""
    for page, path in ((there, SIGN_IN), (not_for, "/clinic/")):
        page.goto("/clinic/")
        assert journey.path(page) == path


def test_a_sign_in_that_is_ended_elsewhere_is_over_at_the_next_request(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    here = colleague.at_work(open_page, server, somebody=somebody)
    there = open_page()
    colleague.sign_in(there, somebody.name, somebody.password)
    here.goto("/account/")
    journey.press(here, ".sign-ins button")
    assert_over(there, not_for=here)


def test_a_new_password_ends_every_other_sign_in(open_page: OpenPage, server: LiveServer) -> None:
    somebody = colleague.settled(server, "prescriber")
    here = colleague.at_work(open_page, server, somebody=somebody)
    there = open_page()
    colleague.sign_in(there, somebody.name, somebody.password)
    here.goto("/account/password")
    colleague.choose_password(here, somebody.password)
    assert_over(there, not_for=here)


def test_whoever_is_disabled_is_out_at_the_next_request(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, somebody=somebody)
    page.goto("/clinic/")
    colleague.people(server, "disable", somebody.name)
    assert send(page, ".search button") == http.HTTPStatus.UNAUTHORIZED
    page.goto("/clinic/")
    assert journey.path(page) == SIGN_IN
    colleague.give_password(page, somebody.name, somebody.password)
    assert journey.path(page) == SIGN_IN


def test_after_signing_out_back_shows_nothing_of_a_patient(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, somebody=colleague.settled(server, "prescriber"))
    colleague.read(page, colleague.arrive(server, name="Private Patient", visit="V-OUT-1"))
    assert "Private Patient" in page.content()
    journey.press(page, colleague.SIGN_OUT)
    assert journey.path(page) == SIGN_IN
    journey.go_back(page)
    assert journey.path(page) == SIGN_IN
    assert "Private Patient" not in page.content()


def test_after_a_pause_a_page_leads_to_the_sign_in_and_back(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, somebody=somebody)
    reference = colleague.arrive(server, name="Paused Patient")
    colleague.read(page, reference)
    colleague.leave_idle(server, somebody)
    page.reload()
    assert journey.path(page) == SIGN_IN
    assert "Paused Patient" not in page.content()
    colleague.give_password(page, somebody.name, somebody.password)
    assert journey.path(page) == f"/clinic/screenings/{reference}"


def test_after_a_pause_what_was_typed_can_be_sent_again(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, somebody=somebody)
    colleague.read(page, colleague.arrive(server, name="Paused Patient", pregnancy="yes"))
    colleague.fill_decision(page, "proceed", reason="Weighed up", note=NOTE)
    typed = colleague.held(page, "form.review")
    colleague.leave_idle(server, somebody)
    assert send(page, RECORD) == http.HTTPStatus.UNAUTHORIZED
    assert (page.get_attribute("main a.primary", "href") or "").startswith(SIGN_IN)

    other_tab = page.context.new_page()
    colleague.sign_in(other_tab, somebody.name, somebody.password)
    journey.go_back(page)
    assert colleague.held(page, "form.review") == typed
    assert send(page, RECORD) == http.HTTPStatus.OK
    assert NOTE in colleague.entries(page)[0]


def test_an_inbox_left_open_stays_quiet_when_the_sign_in_is_over(
    open_page: OpenPage, server: LiveServer
) -> None:
    somebody = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, somebody=somebody)
    page.goto("/clinic/")
    colleague.leave_idle(server, somebody)
    with page.expect_response("**/clinic/arrivals**", timeout=5000):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.locator("[data-arrivals] a").is_hidden()


def set_up(page: Page) -> str:
    """Set up a second factor with the code that an app shows; the key that the page gave for it."""
    page.goto(SET_UP)
    journey.press(page, "main button[value=authenticator]")
    key = page.inner_text("main .password")
    give_code(page, code_of(key))
    return key


def code_of(key: str, *, steps: int = 0) -> str:
    """The code that an app with this key shows now, or so many codes later."""
    token: str = TOTP(key).generate(time.time() + steps * STEP).token
    return token


def give_code(page: Page, code: str) -> None:
    """Type a code, and send."""
    page.fill("[name=code]", code)
    journey.press(page, PRIMARY)


def send(page: Page, button: str) -> int:
    """Press the button; the status of the page that it leads to."""
    with page.expect_navigation() as sent:
        page.click(button)
    assert sent.value is not None
    return sent.value.status
