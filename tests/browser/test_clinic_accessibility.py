"""Every page for staff in every state: sound structure, and no report of axe, in light and dark."""

from __future__ import annotations

import http
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from screening.domain.answers import NAME_LENGTH, TEXT_LENGTH, VISIT_LENGTH
from screening.web.forms.review import NOTE_LENGTH
from tests.browser import colleague, journey
from tests.browser.colleague import PRIMARY, RECORD
from tests.browser.conftest import visits
from tests.browser.inspection import assert_accessible
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer, serve
from tests.browser.test_clinic_sign_in import SET_UP, code_of, give_code, send, set_up

# A screen of 1280 x 1024 px at 400 % zoom, which is one of 320 x 256 px.
ZOOMED = {"viewport": {"width": 320, "height": 256}}
LONG = {"name": "N" * NAME_LENGTH, "visit": "7" * VISIT_LENGTH}
OUTCOMES = {
    "contraindication": {
        "pregnancy": "yes",
        "infection": "yes",
        "iud": "unsure",
        "breastfeeding": "private",
    },
    "clarify": {"hypersensitivity": "unsure", "hypersensitivity_reaction": "rash" * 100},
    "caution": {"vaccines": "yes", "vaccines_which": "flu", "iud": "yes", "iud_type": "copper"},
    "none": {},
}
ADD = 'form[action$="/admin/people"]'
MANY = 105  # more than fit on a page of the inbox or of the audit log


@pytest.fixture
def new_clinic(tmp_path: Path) -> Iterator[LiveServer]:
    """Serve an application on its first day, beside the one that all tests share."""
    with serve(tmp_path) as live:
        yield live


@pytest.mark.audit
def test_a_clinic_from_its_first_day_until_it_has_very_many(
    browser: Browser, new_clinic: LiveServer
) -> None:
    with visits(partial(browser.new_context, base_url=new_clinic.url), new_clinic) as open_page:
        page = colleague.at_work(open_page, new_clinic, "prescriber", "admin", **ZOOMED)
        for path in ("/clinic/", "/clinic/statistics", "/admin/people", "/admin/settings"):
            page.goto(path)
            assert_accessible(page)
        assert_adding_people_accessible(page)

        for answers in OUTCOMES.values():
            colleague.arrive(
                new_clinic, **LONG, at=datetime.now(UTC) - timedelta(days=3), **answers
            )
        colleague.read(page, colleague.arrive(new_clinic, name="Put Off"))
        until = (datetime.now(UTC) + timedelta(days=9)).date()
        colleague.fill_decision(page, "defer", until=until.isoformat())
        journey.press(page, RECORD)
        make_unreadable(new_clinic, colleague.arrive(new_clinic, name="Damaged"))
        colleague.change(
            new_clinic, "UPDATE screenings SET announced_at = '2026-01-01 00:00:00.000000'"
        )
        for path in (
            "/clinic/announced",
            "/clinic/?show=all",
            "/clinic/?show=deferred",
            "/clinic/statistics",
            "/admin/audit",
        ):
            page.goto(path)
            assert page.locator("tbody tr").count() > 0
            assert_accessible(page)

        for number in range(MANY):
            colleague.arrive(new_clinic, name=f"Patient {number}")
        for path in ("/clinic/?show=all&page=3", "/admin/audit?page=2"):
            page.goto(path)
            assert 0 < page.locator("tbody tr").count() < 50
            assert page.locator("nav.pages a[rel=prev]").count() == 1
            assert_accessible(page)
        page.context.close()


def assert_adding_people_accessible(page: Page) -> None:
    """Check the page of people in its states.

    Without a name, without a role, added with a one-time password, the last role removed.
    """
    page.goto("/admin/people")
    journey.press(page, f"{ADD} .primary")
    assert_accessible(page, error=True)
    page.fill("[name=sign_in_name]", "somebody.more")
    journey.press(page, f"{ADD} .primary")
    assert page.get_attribute(".error-summary a", "href") == "#roles"
    assert_accessible(page, error=True)
    page.check(f"{ADD} [name=roles][value=staff]")
    journey.press(page, f"{ADD} .primary")
    assert page.locator(".notice .password").count() == 1
    assert_accessible(page)
    person = 'form[action$="/admin/people/somebody.more"]'
    page.uncheck(f"{person} [name=roles][value=staff]")
    journey.press(page, f"{person} [name=change-roles]")
    assert_accessible(page, error=True)


def test_the_inbox_with_news_with_nothing_found_and_for_staff(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(server, **LONG, pregnancy="yes")
    for role in ("prescriber", "staff"):
        page = colleague.at_work(open_page, server, role, **ZOOMED)
        page.goto("/clinic/")
        page.fill("[name=search]", reference)
        journey.press(page, ".search button")
        assert colleague.references(page) == [reference]
        colleague.arrive(server, name="News")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_selector("[data-arrivals] a:visible")
        assert_accessible(page)
    page.fill("[name=search]", "W" * 100)
    journey.press(page, ".search button")
    assert page.locator(".nothing").count() == 1
    assert_accessible(page)


@pytest.mark.audit
def test_a_screening_of_each_outcome(open_page: OpenPage, server: LiveServer) -> None:
    page = colleague.at_work(open_page, server, "prescriber", **ZOOMED)
    # so long ago that answers are to be confirmed again
    sent = datetime.now(UTC) - timedelta(days=40)
    for outcome, answers in OUTCOMES.items():
        colleague.read(page, colleague.arrive(server, **LONG, at=sent, language="es", **answers))
        assert colleague.outcome(page) == outcome
        assert page.locator(".again").count() > 0
        assert_accessible(page)


def test_a_screening_with_entries_errors_and_news(open_page: OpenPage, server: LiveServer) -> None:
    page = colleague.at_work(open_page, server, "prescriber", **ZOOMED)
    reference = colleague.arrive(server, name="Many Entries", pregnancy="yes")
    colleague.read(page, reference)
    journey.press(page, RECORD)
    assert_accessible(page, error=True)
    for decision, fault in (("proceed", "#reason"), ("defer", "#until")):
        colleague.fill_decision(page, decision)
        journey.press(page, RECORD)
        assert page.get_attribute(".error-summary a", "href") == fault
        assert_accessible(page, error=True)
    colleague.fill_decision(
        page, "proceed", reason="r" * (NOTE_LENGTH + 1), note="n" * (NOTE_LENGTH + 1)
    )
    journey.press(page, RECORD)
    assert page.locator(".error-summary a").count() == 2
    assert_accessible(page, error=True)

    other_tab = page.context.new_page()
    colleague.read(other_tab, reference)
    colleague.fill_decision(other_tab, "proceed", reason="r" * 200, note="one\n\nthing " * 20)
    journey.press(other_tab, RECORD)
    assert_accessible(other_tab)
    page.fill("[name=reason]", "Weighed up")
    page.fill("[name=note]", "")
    journey.press(page, RECORD)
    assert page.locator("main [role=alert]").count() == 1
    assert_accessible(page)


def test_clarify_plain_opened_and_with_errors_and_news(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "prescriber", **ZOOMED)
    reference = colleague.arrive(server, **LONG, infection="unsure", infection_symptoms=["fever"])
    address = f"/clinic/screenings/{reference}/clarify"
    page.goto(f"{address}/pregnancy")
    assert_accessible(page)
    journey.press(page, PRIMARY)
    assert_accessible(page, error=True)
    page.check("[name=pregnancy][value=no]")
    journey.press(page, PRIMARY)
    assert_accessible(page, error=True)  # at the follow-up

    page.goto(f"{address}/infection")
    page.check("[name=infection][value=unsure]")
    page.locator("[name=infection_since]").fill("x" * (TEXT_LENGTH + 1), timeout=5000)
    assert_accessible(page)
    journey.press(page, PRIMARY)
    assert page.locator(".error-summary a").count() == 2
    assert_accessible(page, error=True)
    other_tab = page.context.new_page()
    other_tab.goto(f"{address}/infection")
    for tab in (other_tab, page):
        tab.check("[name=infection][value=no]")
        tab.fill("[name=why]", "Asked again")
        journey.press(tab, PRIMARY)
    assert page.locator("main [role=alert]").count() == 1
    assert_accessible(page)


def test_signing_in_and_choosing_a_password(open_page: OpenPage, server: LiveServer) -> None:
    newcomer = colleague.add(server, "prescriber")
    page = open_page(**ZOOMED)
    page.goto(colleague.SIGN_IN)
    assert_accessible(page)
    colleague.give_password(page, newcomer.name, "wrong")
    assert_accessible(page, error=True)
    colleague.give_password(page, newcomer.name, newcomer.password)
    assert_accessible(page)
    journey.press(page, PRIMARY)
    assert_accessible(page, error=True)
    colleague.choose_password(page, newcomer.password, "short")
    assert_accessible(page, error=True)
    colleague.choose_password(page, "not the one", colleague.PASSWORD)
    assert_accessible(page, error=True)


@pytest.mark.audit
def test_second_factor_recovery_codes_and_the_password_once_more(
    open_page: OpenPage, server: LiveServer
) -> None:
    person = colleague.settled(server, "prescriber", "admin")
    page = colleague.at_work(open_page, server, person=person, **ZOOMED)
    page.goto(SET_UP)
    assert_accessible(page)
    journey.press(page, "main button[value=authenticator]")
    assert_accessible(page)
    give_code(page, "000000")
    assert_accessible(page, error=True)
    key = set_up(page)
    assert_accessible(page)  # the recovery codes
    for path in ("/account/", SET_UP, "/account/recovery-codes"):
        page.goto(path)
        assert_accessible(page)
    journey.press(page, "main button[name=generate_new_codes]")
    assert_accessible(page)
    page.goto("/account/confirm")
    assert_accessible(page)
    page.fill("[name=password]", "wrong")
    journey.press(page, PRIMARY)
    assert_accessible(page, error=True)

    other = open_page(**ZOOMED)
    colleague.sign_in(other, person.name, person.password)
    assert_accessible(other)
    give_code(other, "000000")
    assert_accessible(other, error=True)
    journey.press(other, 'main a[href*="/recovery"]')
    assert_accessible(other)
    give_code(other, "none of them")
    assert_accessible(other, error=True)
    colleague.sign_in(other, person.name, person.password)
    give_code(other, code_of(key, steps=1))
    other.goto("/account/")
    assert other.locator(".sign-ins button").count() == 1
    assert_accessible(other)


def test_pages_that_refuse(open_page: OpenPage, server: LiveServer) -> None:
    person = colleague.settled(server, "prescriber")
    page = colleague.at_work(open_page, server, person=person, **ZOOMED)
    for path, status in (
        ("/clinic/screenings/0000-0000", http.HTTPStatus.NOT_FOUND),
        ("/admin/people", http.HTTPStatus.FORBIDDEN),
    ):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status
        assert_accessible(page)
    page.goto("/clinic/")
    colleague.leave_idle(server, person)
    assert send(page, ".search button") == http.HTTPStatus.UNAUTHORIZED
    assert_accessible(page)


def test_the_patients_copy_in_the_language_of_the_patient(
    open_page: OpenPage, server: LiveServer
) -> None:
    page = colleague.at_work(open_page, server, "prescriber", **ZOOMED)
    for language in ("en", "es"):
        page.goto(f"/clinic/screenings/{colleague.arrive(server, **LONG, language=language)}/copy")
        assert_accessible(page, language=language)


def make_unreadable(server: LiveServer, reference: str) -> None:
    """Damage the stored content of a screening."""
    colleague.change(
        server, "UPDATE screenings SET sealed_state = x'00' WHERE reference = ?", reference
    )
