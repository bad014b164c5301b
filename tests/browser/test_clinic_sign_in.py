"""Signing in and out: passwords, second factor, ended sign-ins, a pause without lost text."""

from __future__ import annotations

import http
import time

import pytest
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
    person = colleague.settled(server, "prescriber")
    page = open_page()
    page.goto("/clinic/?show=all&outcome=caution")
    assert journey.path(page) == SIGN_IN
    colleague.give_password(page, person.name, "mistyped first")
    colleague.give_password(page, person.name, person.password)
    assert page.url.endswith("/clinic/?show=all&outcome=caution")


@pytest.mark.audit
def test_a_code_of_the_app_is_good_for_one_sign_in_and_so_is_a_recovery_code(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    key = set_up(page)
    assert journey.path(page) == "/account/recovery-codes"
    recovery = page.locator("main .password li").all_inner_texts()
    code = code_of(key, steps=1)  # the present code was used to set it up

    other = open_page()
    colleague.sign_in(other, person.name, person.password)
    assert journey.path(other) == CODE
    other.goto("/clinic/")
    assert journey.path(other) == SIGN_IN  # the password alone is not enough
    colleague.give_password(other, person.name, person.password)
    give_code(other, code)
    assert journey.path(other) == "/clinic/"

    thief = open_page()
    colleague.sign_in(thief, person.name, person.password)
    give_code(thief, code)
    assert journey.path(thief) == CODE
    assert thief.locator(".error-summary").count() == 1

    journey.press(thief, RECOVERY)
    give_code(thief, recovery[0])
    assert journey.path(thief) == "/clinic/"
    again = open_page()
    colleague.sign_in(again, person.name, person.password)
    journey.press(again, RECOVERY)
    give_code(again, recovery[0])
    assert journey.path(again) == "/account/recovery"
    assert again.locator(".error-summary").count() == 1


def test_the_second_factor_leads_on_to_where_one_was_going_too(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    key = set_up(colleague.at_work(open_page, server, person=person))
    page = open_page()
    page.goto("/clinic/statistics")
    colleague.give_password(page, person.name, person.password)
    give_code(page, "000000")
    give_code(page, code_of(key, steps=1))
    assert journey.path(page) == "/clinic/statistics"


def test_a_mistyped_code_sets_nothing_up_and_can_be_corrected(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, person=colleague.settled(server, "prescriber"))
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
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    colleague.people(server, "require-totp", person.name)
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


def assert_over(ended: Page, *, active: Page) -> None:
    """Assert that a sign-in has ended at its next request, and another has not."""
    for page, path in ((ended, SIGN_IN), (active, "/clinic/")):
        page.goto("/clinic/")
        assert journey.path(page) == path


def test_a_sign_in_that_is_ended_elsewhere_is_over_at_the_next_request(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    other_page = open_page()
    colleague.sign_in(other_page, person.name, person.password)
    page.goto("/account/")
    journey.press(page, ".sign-ins button")
    assert_over(other_page, active=page)


def test_a_new_password_ends_every_other_sign_in(open_page: OpenPage, server: LiveServer) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    other_page = open_page()
    colleague.sign_in(other_page, person.name, person.password)
    page.goto("/account/password")
    colleague.choose_password(page, person.password)
    assert_over(other_page, active=page)


def test_whoever_is_disabled_is_out_at_the_next_request(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    page.goto("/clinic/")
    colleague.people(server, "disable", person.name)
    assert send(page, ".search button") == http.HTTPStatus.UNAUTHORIZED
    page.goto("/clinic/")
    assert journey.path(page) == SIGN_IN
    colleague.give_password(page, person.name, person.password)
    assert journey.path(page) == SIGN_IN


def test_after_signing_out_back_shows_nothing_of_a_patient(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, person=colleague.settled(server, "prescriber"))
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
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    reference = colleague.arrive(server, name="Paused Patient")
    colleague.read(page, reference)
    colleague.leave_idle(server, person)
    page.reload()
    assert journey.path(page) == SIGN_IN
    assert "Paused Patient" not in page.content()
    colleague.give_password(page, person.name, person.password)
    assert journey.path(page) == f"/clinic/screenings/{reference}"


def test_after_a_pause_what_was_typed_can_be_sent_again(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    colleague.read(page, colleague.arrive(server, name="Paused Patient", pregnancy="yes"))
    colleague.fill_decision(page, "proceed", reason="Weighed up", note=NOTE)
    typed = colleague.held(page, "form.review")
    colleague.leave_idle(server, person)
    assert send(page, RECORD) == http.HTTPStatus.UNAUTHORIZED
    assert (page.get_attribute("main a.primary", "href") or "").startswith(SIGN_IN)

    other_tab = page.context.new_page()
    colleague.sign_in(other_tab, person.name, person.password)
    journey.go_back(page)
    assert colleague.held(page, "form.review") == typed
    assert send(page, RECORD) == http.HTTPStatus.OK
    assert NOTE in colleague.entries(page)[0]


def test_an_inbox_left_open_stays_quiet_when_the_sign_in_is_over(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person)
    page.goto("/clinic/")
    colleague.leave_idle(server, person)
    with page.expect_response("**/clinic/arrivals**", timeout=5000):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.locator("[data-arrivals] a").is_hidden()


def set_up(page: Page) -> str:
    """Set up a second factor with the code that an app shows, and return the key of the page."""
    page.goto(SET_UP)
    journey.press(page, "main button[value=authenticator]")
    key = page.inner_text("main .password")
    give_code(page, code_of(key))
    return key


def code_of(key: str, *, steps: int = 0) -> str:
    """Return the code that an app with this key shows now, or `steps` codes later."""
    token: str = TOTP(key).generate(time.time() + steps * STEP).token
    return token


def give_code(page: Page, code: str) -> None:
    """Type a code, and send."""
    page.fill("[name=code]", code)
    journey.press(page, PRIMARY)


def send(page: Page, button: str) -> int:
    """Press the button, and return the status of the page that it leads to."""
    with page.expect_navigation() as sent:
        page.click(button)
    assert sent.value is not None
    return sent.value.status
