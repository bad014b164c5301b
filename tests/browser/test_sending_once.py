"""One questionnaire gives one screening with one reference, however often it is sent."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.journey import ALL_NO, SEND
from tests.browser.server import LiveServer


def test_pressing_send_again_while_it_is_being_sent_sends_once(
    page: Page, server: LiveServer
) -> None:
    before = server.references()
    journey.jump_to(page, "check", ALL_NO)
    page.locator(SEND).scroll_into_view_if_needed()
    button = page.locator(SEND).bounding_box()
    assert button is not None
    with server.held_up():
        for _ in range(2):
            with page.expect_request("**/submit"):
                page.mouse.click(
                    button["x"] + button["width"] / 2, button["y"] + button["height"] / 2
                )
    page.wait_for_url("**/done")
    assert server.references() == [*before, journey.reference(page)]


def test_pressing_send_twice_in_a_row_sends_once(page: Page, server: LiveServer) -> None:
    before = server.references()
    journey.jump_to(page, "check", ALL_NO)
    page.dblclick(SEND)
    page.wait_for_url("**/done")
    assert server.references() == [*before, journey.reference(page)]


def test_sending_from_two_tabs_gives_both_the_same_reference(
    page: Page, server: LiveServer
) -> None:
    before = server.references()
    journey.jump_to(page, "check", ALL_NO)
    other_tab = page.context.new_page()
    other_tab.goto("/check")
    reference = journey.send(page)
    assert journey.send(other_tab) == reference
    assert server.references() == [*before, reference]


def test_going_back_after_sending_cannot_send_or_change_anything(
    page: Page, server: LiveServer
) -> None:
    journey.jump_to(page, "check", ALL_NO)
    reference = journey.send(page)
    sent = server.references()
    page.reload()
    assert journey.reference(page) == reference
    journey.go_back(page)
    assert page.locator(SEND).count() == 0
    journey.press(page, 'main a[href$="/done"]')
    assert journey.reference(page) == reference
    assert server.references() == sent


def test_four_requests_at_once_send_once(page: Page, server: LiveServer) -> None:
    before = server.references()
    journey.jump_to(page, "check", ALL_NO)
    body = urlencode({"csrf_token": page.locator("main [name=csrf_token]").input_value()})
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}

    def send(_: int) -> str | None:
        with closing(
            http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
        ) as connection:
            connection.request("POST", "/submit", body, headers)
            return connection.getresponse().getheader("Location")

    with ThreadPoolExecutor(4) as at_once:
        assert list(at_once.map(send, range(4))) == ["/done"] * 4
    page.goto("/done")
    assert server.references() == [*before, journey.reference(page)]
