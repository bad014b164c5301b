"""Two prescribers at one screening: the second to send is warned and keeps the typed text."""

from __future__ import annotations

import http

from playwright.sync_api import Page

from tests.browser import colleague, journey
from tests.browser.colleague import PRIMARY, RECORD
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer

NOTE = 'Second thoughts,\nin "two" lines & <b>more</b>'
MEANWHILE = "main [role=alert]"
CLARIFY_FORM = "#page-form"


def test_the_second_decision_is_held_back_until_the_first_was_shown(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(server, name="Seen By Two", pregnancy="yes")
    first, second = both(open_page, server)
    for page in (first, second):
        colleague.read(page, reference)
    colleague.fill_decision(first, "do_not_start", note="First was here")
    journey.press(first, RECORD)

    colleague.fill_decision(second, "proceed", reason="Weighed up", note=NOTE)
    typed = colleague.held(second, "form.review")
    send(second, RECORD, http.HTTPStatus.CONFLICT)
    assert "Dr first" in second.inner_text(MEANWHILE)
    assert "First was here" in colleague.entries(second)[0]
    assert len(colleague.entries(second)) == 1
    assert colleague.held(second, "form.review") == typed

    send(second, RECORD, http.HTTPStatus.OK)
    assert second.locator(MEANWHILE).count() == 0
    assert [
        "Dr first" in colleague.entries(second)[0],
        "Dr second" in colleague.entries(second)[1],
    ] == [True, True]
    assert NOTE in colleague.entries(second)[1]


def test_the_second_clarification_is_held_back_until_the_first_was_shown(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(
        server, name="Asked By Two", infection="unsure", infection_symptoms=["fever"]
    )
    first, second = both(open_page, server)
    for page in (first, second):
        page.goto(f"/clinic/screenings/{reference}/clarify/infection")
    first.check("[name=infection][value=no]")
    first.fill("[name=why]", "No fever today")
    send(first, PRIMARY, http.HTTPStatus.OK)
    assert colleague.outcome(first) == "none"

    second.check("[name=infection][value=yes]")
    second.check("[name=infection_symptoms][value=chills]")
    second.fill("[name=infection_since]", "Since yesterday")
    second.fill("[name=why]", NOTE)
    typed = colleague.held(second, CLARIFY_FORM)
    send(second, PRIMARY, http.HTTPStatus.CONFLICT)
    assert "Dr first" in second.inner_text(MEANWHILE)
    # the recorded entry, to be read before sending again
    assert "Dr first" in second.inner_text(".answers")
    assert colleague.held(second, CLARIFY_FORM) == typed

    send(second, PRIMARY, http.HTTPStatus.OK)
    assert colleague.outcome(second) == "contraindication"
    assert "No fever today" in colleague.entries(second)[0]
    assert NOTE in colleague.entries(second)[1]


def both(open_page: OpenPage, server: LiveServer) -> tuple[Page, Page]:
    """Open the pages of two prescribers, called Dr first and Dr second."""
    prescribers = [colleague.shared(server, ("prescriber",), name) for name in ("first", "second")]
    first, second = (
        colleague.at_work(open_page, server, person=prescriber) for prescriber in prescribers
    )
    return first, second


def send(page: Page, button: str, status: http.HTTPStatus) -> None:
    """Press the button, which leads to a page with this status."""
    with page.expect_navigation() as sent:
        page.click(button)
    assert sent.value is not None
    assert sent.value.status == status
