"""One person sends twice, and a prescriber opens the wrong one first."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Page

from tests.browser import colleague, journey
from tests.browser.colleague import RECORD
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer

BORN = date(1969, 5, 6)
NEWER = "section:has(> #newer)"


@pytest.fixture
def prescriber(open_page: OpenPage, server: LiveServer) -> Page:
    return colleague.at_work(open_page, server, "prescriber")


def test_who_opens_the_older_answers_reads_first_that_an_infection_was_reported_since(
    prescriber: Page, server: LiveServer
) -> None:
    nothing = colleague.arrive(server, name="Inés Twice", visit="", birth_date=BORN)
    infection = colleague.arrive(
        server,
        name="TWICE  Ines",
        visit="V-2",
        birth_date=BORN,
        infection="yes",
        infection_symptoms=["fever"],
    )
    colleague.read(prescriber, nothing)
    top = prescriber.inner_text("main").index
    assert top("Newer answers arrived on") < top("No findings from these answers")
    differing = prescriber.locator(NEWER).inner_text()
    assert "Do you have an infection now?" in differing
    assert "Fever" in differing
    assert "pregnant" not in differing

    colleague.fill_decision(prescriber, "proceed", note="All well")
    journey.press(prescriber, RECORD)
    assert "give your reason" in prescriber.inner_text(".error-summary")
    assert colleague.entries(prescriber) == []

    prescriber.locator(NEWER).get_by_role("link", name=infection).click()
    assert colleague.outcome(prescriber) == "contraindication"
    assert "There are earlier answers, and some differ." in prescriber.inner_text("main")
    prescriber.get_by_role("button", name="Not the same person").click()
    assert "Recorded: not the same person." in prescriber.inner_text("main")
    colleague.read(prescriber, nothing)
    assert prescriber.locator(NEWER).count() == 0
