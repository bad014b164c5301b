"""Paper typed in by staff: an empty box stays open, Back and an ended session lose nothing."""

from __future__ import annotations

import http
from datetime import UTC, datetime

import pytest

from tests.browser import colleague, journey
from tests.browser.colleague import PRIMARY
from tests.browser.inspection import assert_accessible
from tests.browser.journey import CONTINUE, OpenPage
from tests.browser.server import LiveServer

CHOICES = "main fieldset.question > .choices > .choice"
SEND = 'main form[action$="/submit"] button'
SIGNED_OUT = http.HTTPStatus.UNAUTHORIZED


@pytest.mark.audit
def test_a_paper_form_is_typed_in(open_page: OpenPage, server: LiveServer) -> None:
    somebody = colleague.shared(server, ("staff",), "desk")
    page = colleague.at_work(open_page, server, person=somebody)
    page.goto("/clinic/paper")
    journey.press(page, 'main a[href="/clinic/paper/enter"]')
    assert_accessible(page)
    journey.press(page, PRIMARY)
    assert_accessible(page)
    page.fill("[name=name]", "Paper Patient")
    for part, typed in (("day", "12"), ("month", "3"), ("year", "1988")):
        page.fill(f"[name=birth_{part}]", typed)
    page.fill("[name=paper_date]", datetime.now(UTC).date().isoformat())
    journey.press(page, CONTINUE)

    page.get_by_role("button", name="Go on later").click()
    assert_accessible(page)
    page.get_by_role("link", name="Paper Patient").click()

    journey.press(page, CONTINUE)  # nothing is ticked on the paper: that has to be said
    assert_accessible(page, error=True)
    page.check("[name=left_empty]")
    journey.press(page, CONTINUE)

    second = page.url
    page.check(f"{CHOICES} [value=no]")
    journey.press(page, CONTINUE)
    page.go_back()
    assert page.url == second
    assert page.is_checked(f"{CHOICES} [value=no]")
    journey.press(page, CONTINUE)

    third = page.url
    colleague.leave_idle(server, somebody)
    page.check(f"{CHOICES} [value=unsure]")
    with page.expect_response(lambda response: response.status == SIGNED_OUT):
        page.click(CONTINUE)
    journey.press(page, "main a.button, main a")
    colleague.give_password(page, somebody.name, somebody.password)
    assert page.url == third
    assert page.is_checked(f"{CHOICES} [value=unsure]")
    journey.press(page, CONTINUE)

    while not page.url.endswith("/check"):
        page.check(f"{CHOICES} [value=no]")
        journey.press(page, CONTINUE)
    journey.press(page, SEND)  # not compared with the paper yet
    assert_accessible(page, error=True)
    page.check("[name=compared]")
    journey.press(page, SEND)
    told = page.inner_text("[role=status]")
    (reference,) = journey.REFERENCE.findall(told)
    journey.go_back(page)
    assert reference in page.inner_text("[role=status]")  # sent, and not twice

    prescriber = colleague.at_work(open_page, server, "prescriber")
    colleague.read(prescriber, reference)
    assert f"From paper, typed by Dr {somebody.name}." in prescriber.inner_text("main")
    assert colleague.outcome(prescriber) == "clarify"
    assert prescriber.inner_text("#answer-pregnancy .said.empty") == "No answer"
