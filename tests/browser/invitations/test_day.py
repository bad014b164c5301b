"""A day with 20 expected patients, 7 without answers: filtered, walked through and printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from screening.extensions import db
from tests.browser import colleague, journey
from tests.browser.inspection import assert_accessible
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer
from tests.integration.invitations.test_expected import expect as expect_patient

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
EXPECTED = 20
MISSING = 7
ROWS = ".expected tbody tr"
PATIENT = ".expected th a"


def fill(server: LiveServer, prescriber: str) -> None:
    """Every quarter of an hour from eight o'clock; every third of the first 21 has not answered."""
    app = colleague.application(server)
    for number in range(EXPECTED):
        answers = {"pregnancy": "yes"} if number == 1 else {}
        expect_patient(
            app,
            f"Expected {number:02}",
            MIDNIGHT + timedelta(hours=8, minutes=15 * number),
            prescriber=prescriber if number < 10 else "Dr House",
            answers=None if number % 3 == 0 else answers,
        )
    with app.app_context():
        db.engine.dispose()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


@pytest.mark.audit
def test_a_day_with_20_expected_of_whom_7_have_not_answered(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "prescriber")
    page.goto("/clinic/")
    name = page.locator("nav.sections a[href='/account/']").inner_text()
    fill(server, name)

    page.goto("/clinic/")
    expect(page.locator(ROWS)).to_have_count(EXPECTED)
    expect(page.locator(".expected caption")).to_contain_text("7 have not answered")
    expect(page.locator(".expected .time").first).to_have_text("08:00")
    names = [f"Expected {number:02}" for number in range(EXPECTED)]
    assert page.locator(f"{PATIENT} bdi").all_inner_texts() == names
    assert_accessible(page)

    journey.press(page, ".expected caption a")
    expect(page.locator(ROWS)).to_have_count(MISSING)
    page.goto("/clinic/")
    page.select_option("#prescriber", "mine")
    journey.press(page, ".filters button")
    expect(page.locator(ROWS)).to_have_count(10)
    page.select_option("#order", "severity")
    journey.press(page, ".filters button")
    assert "prescriber=mine" in page.url
    assert "order=severity" in page.url
    assert page.locator(f"{PATIENT} bdi").first.inner_text() == "Expected 01"

    # by keys: the first patient of the list, then the next one from its page
    page.keyboard.press("j")
    assert focused(page) == "Expected 01"
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Expected 01")
    assert_accessible(page)
    with page.expect_navigation():
        page.keyboard.press("j")
    expect(page.locator("h1")).not_to_have_text("Expected 01")
    page.focus("#note")
    page.keyboard.press("k")
    assert page.input_value("#note") == "k"
    page.locator("h1").click()
    with page.expect_navigation():
        page.keyboard.press("k")
    expect(page.locator("h1")).to_have_text("Expected 01")
    journey.press(page, journey.BACK)
    assert "prescriber=mine" in page.url
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("h1").click()
    page.locator(".keys button").click()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.tagName") != "A"
    page.locator(".keys button").click()

    for number in ("01", "02"):
        page.check(f".expected tr:has-text('Expected {number}') .choose input")
    sent = """async () => {
        const form = document.querySelector("#print");
        const data = new FormData(form);
        const body = new URLSearchParams(data);
        const answer = await fetch(form.action, { method: "POST", body });
        return [answer.headers.get("content-type"), data.getAll("reference").length];
    }"""
    assert page.evaluate(sent) == ["application/pdf", 2]
