"""Two patients use one tablet in turn, and neither finds anything of the one before."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import colleague, journey
from tests.browser.colleague import PRIMARY
from tests.browser.inspection import assert_accessible
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer
from tests.browser.test_shared_device import (
    LAST_ANSWERS,
    LAST_PATIENT,
    MARKS,
    TYPED,
    assert_nothing_left,
)

TABLET = {"viewport": {"width": 820, "height": 1180}, "has_touch": True}
PIN = "4711"
GIVE_BACK = "#give-back button"
LARGE = 60  # px; elsewhere a button has 48
LOCKED = "This tablet is locked"
ADDRESSES = (
    "/",
    "/about-you",
    "/questions/infection",
    "/check",
    "/done",
    "/copy",
    "/continue",
    "/clinic/",
    "/clinic/tablet",
)


@pytest.fixture(scope="session")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


@pytest.fixture
def tablet(open_page: OpenPage, server: LiveServer) -> Page:
    """Return a tablet that a signed-in person has given to a patient."""
    page = colleague.at_work(open_page, server, person=colleague.settled(server, "staff"), **TABLET)
    page.goto("/clinic/tablet")
    page.fill("[name=pin]", PIN)
    page.fill("[name=again]", PIN)
    journey.press(page, PRIMARY)
    assert journey.path(page) == "/"
    return page


def storable(route: Route) -> None:
    """Remove the header that forbids the browser to store a page."""
    response = route.fetch(max_redirects=0)
    headers = {name: value for name, value in response.headers.items() if name != "cache-control"}
    route.fulfill(response=response, headers=headers)


def take_back(page: Page) -> None:
    """Unlock a locked tablet as staff do."""
    page.fill("[name=pin]", PIN)
    journey.press(page, PRIMARY)
    expect(page.locator("h1")).to_have_text("Next patient")


@pytest.mark.audit
def test_two_patients_in_turn(open_page: OpenPage, server: LiveServer) -> None:
    colleague.arrive(server, name="Somebody Inbox")
    page = colleague.at_work(open_page, server, person=colleague.settled(server, "staff"), **TABLET)
    page.goto("/clinic/tablet")
    page.fill("[name=pin]", "1234")
    journey.press(page, PRIMARY)
    assert_accessible(page, error=True)
    page.goto("/clinic/")
    journey.press(page, 'nav.sections a[href="/clinic/tablet"]')
    assert_accessible(page)
    for name in ("pin", "again"):
        page.fill(f"[name={name}]", PIN)
    journey.fill_about_you(page, LAST_PATIENT)
    journey.press(page, PRIMARY)

    journey.go_back(page)  # to the start of the tablet, then to the inbox
    journey.go_back(page)
    assert_nothing_left(page, "Somebody Inbox")
    assert journey.path(page) == "/"
    box = page.locator("main a.primary").bounding_box()
    assert box is not None
    assert box["height"] >= LARGE
    begun = page.evaluate("history.length - 2")
    assert_accessible(page)
    journey.press(page, "main a.primary")
    assert page.input_value("[name=name]") == LAST_PATIENT.name, "as staff filled it in"
    assert_accessible(page)
    journey.press_continue(page)
    journey.answer_questions(page, LAST_ANSWERS)
    assert TYPED in page.content()
    reference = journey.send(page)
    assert_accessible(page)
    assert page.locator('main a[href*="copy"]').count() == 0, (
        "nothing of the patient can be saved on the tablet"
    )
    journey.press(page, GIVE_BACK)
    visited = page.evaluate("history.length") - begun
    assert visited > len(journey.QUESTIONS)
    assert_accessible(page)
    for _ in range(visited):
        journey.go_back(page)
        assert_nothing_left(page, reference)
    for _ in range(visited):
        page.go_forward(wait_until="commit")
        page.wait_for_selector("footer.bottom")
        assert_nothing_left(page, reference)
    for path in ADDRESSES:
        page.goto(path)
        expect(page.locator("h1")).to_have_text(LOCKED)
        assert_nothing_left(page, reference)

    page.fill("[name=pin]", "0000")
    journey.press(page, PRIMARY)
    assert_accessible(page, error=True)
    take_back(page)
    assert_accessible(page)
    page.goto("/clinic/")
    expect(page.locator("h1")).to_have_text("Next patient")
    journey.press(page, PRIMARY)
    journey.press(page, "main a.primary")
    assert page.input_value("[name=name]") == ""
    assert_nothing_left(page, reference)
    page.fill("[name=name]", "Given Up")
    journey.press(page, GIVE_BACK)
    journey.go_back(page)
    assert_nothing_left(page, "Given Up")
    page.goto("/tablet")
    take_back(page)
    journey.press(page, 'form[action$="/tablet/end"] button')
    assert journey.path(page) == colleague.SIGN_IN
    assert server.references()[-1] == reference


def test_other_tabs_show_nothing_once_the_tablet_has_changed_hands(
    open_page: OpenPage, server: LiveServer
) -> None:
    colleague.arrive(server, name="Somebody Inbox")
    page = colleague.at_work(open_page, server, person=colleague.settled(server, "staff"), **TABLET)
    inbox = page.context.new_page()
    inbox.goto("/clinic/")
    expect(inbox.locator("main")).to_contain_text("Somebody Inbox")
    page.goto("/clinic/tablet")
    for name in ("pin", "again"):
        page.fill(f"[name={name}]", PIN)
    journey.press(page, PRIMARY)
    expect(inbox.locator("h1")).to_have_text("A few questions before your visit")
    assert_nothing_left(inbox, "Somebody Inbox")

    journey.press(page, "main a.primary")
    journey.fill_about_you(page, LAST_PATIENT)
    journey.press_continue(page)
    about = page.context.new_page()
    about.goto("/about-you")
    assert about.input_value("[name=name]") == LAST_PATIENT.name
    expect(page.locator("h1")).not_to_have_text(LOCKED)  # the same patient: nothing is deleted
    journey.press(page, GIVE_BACK)
    for other in (about, inbox):
        expect(other.locator("h1")).to_have_text(LOCKED)
        assert_nothing_left(other)


def test_who_does_not_answer_is_asked_and_then_it_locks(tablet: Page) -> None:
    tablet.clock.install()
    tablet.goto("/about-you")
    tablet.fill("[name=name]", MARKS[0])
    dialog = tablet.get_by_role("alertdialog")
    tablet.clock.run_for(118_000)
    expect(dialog).to_be_hidden()
    tablet.clock.run_for(4_000)
    expect(dialog).to_be_visible()
    assert_accessible(tablet)
    tablet.clock.run_for(20_000)
    expect(dialog).to_be_visible()
    tablet.keyboard.press("Enter")  # the one button has the focus
    expect(dialog).to_be_hidden()
    assert tablet.input_value("[name=name]") == MARKS[0], "nothing typed is lost"
    tablet.clock.run_for(122_000)
    expect(dialog).to_be_visible()
    tablet.clock.run_for(31_000)
    expect(tablet.locator("h1")).to_have_text(LOCKED)
    journey.go_back(tablet)
    assert_nothing_left(tablet)


def test_a_tablet_that_slept_locks_when_it_wakes(tablet: Page) -> None:
    tablet.clock.install()
    tablet.goto("/about-you")
    tablet.fill("[name=name]", MARKS[0])
    tablet.clock.fast_forward("30:00")
    expect(tablet.locator("h1")).to_have_text(LOCKED)
    assert_nothing_left(tablet)


def test_a_page_kept_in_memory_comes_back_blank_and_is_asked_for_anew(tablet: Page) -> None:
    """Test a browser that stores even pages that forbid it."""
    tablet.route(
        "**/*",
        lambda route: storable(route) if route.request.method == "GET" else route.continue_(),
    )
    tablet.goto("/about-you")
    tablet.fill("[name=name]", MARKS[0])
    tablet.evaluate(
        "addEventListener('pageshow', event => {"
        "  localStorage.setItem('kept', [event.persisted, document.body.hidden]);"
        "})"
    )
    tablet.goto("/leaflet")
    tablet.go_back(wait_until="commit")
    tablet.wait_for_function("localStorage.getItem('kept') === 'true,true'")
    expect(tablet.locator("h1")).to_be_visible()
    assert_nothing_left(tablet)


def test_without_a_script_a_turn_ends_by_itself(
    tablet: Page, open_page: OpenPage, server: LiveServer
) -> None:
    plain = open_page(java_script_enabled=False)
    plain.context.add_cookies(tablet.context.cookies())  # type: ignore[arg-type]

    def after_the_turn(route: Route) -> None:
        response = route.fetch()
        server.expire_drafts()
        route.fulfill(
            response=response, body=response.text().replace('content="1800;', 'content="0;')
        )

    plain.goto("/")
    plain.route("**/about-you", after_the_turn)
    plain.goto("/about-you", wait_until="commit")
    plain.wait_for_url("**/tablet")
    expect(plain.locator("h1")).to_have_text(LOCKED)
