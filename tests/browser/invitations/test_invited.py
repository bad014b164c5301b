"""An invited patient on a small phone, from the link to the end; and staff who invite."""

from __future__ import annotations

import re
from datetime import date

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import colleague, journey
from tests.browser.colleague import PHONE, PRIMARY
from tests.browser.inspection import AXE, assert_accessible
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer

NAME = "Anastasia Example-Sample"
BORN = date(1988, 3, 12)


@pytest.mark.audit
def test_an_invited_patient_from_the_link_to_the_end(
    open_page: OpenPage, server: LiveServer
) -> None:
    staff = colleague.at_work(open_page, server, "staff", **PHONE)
    staff.goto("/clinic/invitations/")
    assert_accessible(staff)
    journey.press(staff, "main a.primary")
    assert_accessible(staff)
    journey.press(staff, PRIMARY)
    assert_accessible(staff, error=True)
    staff.fill("[name=name]", NAME)
    say_birth_date(staff, BORN)
    staff.fill("[name=visit]", "V-77")
    staff.fill("[name=appointment]", "2027-03-31T14:30")
    staff.fill("[name=prescriber]", "Dr House")
    journey.press(staff, PRIMARY)
    assert_accessible(staff)
    link = staff.locator(".invited-link").inner_text()
    page_of_it = staff.url

    patient = open_page(**PHONE)
    patient.goto(link)
    assert_accessible(patient)
    journey.press(patient, PRIMARY)
    assert_accessible(patient, error=True)
    say_birth_date(patient, date(1988, 3, 13))
    journey.press(patient, PRIMARY)
    assert_accessible(patient, error=True)
    assert NAME not in patient.content()
    say_birth_date(patient, BORN)
    journey.press(patient, PRIMARY)
    assert (patient.input_value("[name=name]"), patient.input_value("[name=visit]")) == (
        NAME,
        "V-77",
    )
    assert_accessible(patient)
    journey.press(patient, PRIMARY)
    while not patient.url.endswith("/check"):
        for group in patient.locator(
            "fieldset:visible:has(input[value=no]):not(:has(:checked))"
        ).all():
            group.locator("input[value=no]").first.check()
        journey.press(patient, PRIMARY)
    journey.press(patient, PRIMARY)
    reference = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", patient.inner_text("main"))
    assert reference is not None

    again = open_page(**PHONE)
    again.goto(link)
    say_birth_date(again, BORN)
    journey.press(again, PRIMARY)
    expect(again.locator("h1")).to_have_text("The clinic has your answers")
    assert_accessible(again)
    again.reload()
    expect(again.locator("main")).to_contain_text(reference[0])
    journey.press(again, PRIMARY)
    expect(again.locator("h1")).to_have_text("Check your answers")
    staff.goto(page_of_it)
    expect(staff.locator("main")).to_contain_text(f"Answers sent · {reference[0]}")
    assert_accessible(staff)
    staff.goto("/clinic/invitations/")
    expect(staff.locator("main")).not_to_contain_text(NAME)
    assert_accessible(staff)
    journey.press(staff, 'a[href*="show=all"]')
    expect(staff.locator("tbody tr").filter(has_text=NAME)).to_contain_text("Answers sent")
    assert_accessible(staff)


def say_birth_date(page: Page, born: date) -> None:
    """Fill in the three fields of the date."""
    for part, value in (("day", born.day), ("month", born.month), ("year", born.year)):
        page.fill(f"[name=birth_{part}]", str(value))


def test_a_list_is_invited_on_a_small_phone(open_page: OpenPage, server: LiveServer) -> None:
    staff = colleague.at_work(open_page, server, "staff", **PHONE)

    def choose(content: str) -> None:
        staff.goto("/clinic/invitations/list")
        staff.set_input_files(
            "#list",
            {"name": "list.csv", "mimeType": "text/csv", "buffer": content.encode("cp1252")},
        )
        journey.press(staff, PRIMARY)

    staff.goto("/clinic/invitations/list")
    assert_accessible(staff)
    journey.press(staff, PRIMARY)
    assert_accessible(staff, error=True)
    choose("name;born;visit\n;12/3/88;\n")
    # the faults are at cells of the table, not at inputs
    assert not AXE.run(staff).response["violations"]
    choose(
        "name;born;visit\nZoë Example;03/12/1988;V-L1\n"
        "ZOË EXAMPLE;03/12/1988;V-L1\nBo Example;03/12/1990;V-L2\n"
    )
    assert_accessible(staff, error=True)
    staff.check("#dates-month-first")
    journey.press(staff, PRIMARY)
    expect(staff.locator("tr.double")).to_contain_text(
        "Not invited: Same patient and visit as row 2"
    )
    assert_accessible(staff)
    journey.press(staff, "button[name=invite]")
    expect(staff.locator("main")).to_contain_text("2 patients are invited")
    assert_accessible(staff)
    with staff.expect_download() as download:
        staff.click("button[name=links]")
    assert download.value.suggested_filename == "invitations.csv"


@pytest.mark.audit
def test_a_second_tap_and_a_lost_answer_shut_nobody_out_and_other_names_are_seen(
    open_page: OpenPage, server: LiveServer
) -> None:
    staff = colleague.at_work(open_page, server, "prescriber", "staff")
    staff.goto("/clinic/invitations/new")
    staff.fill("[name=name]", NAME)
    say_birth_date(staff, BORN)
    journey.press(staff, PRIMARY)
    link = staff.locator(".invited-link").inner_text()
    page_of_it = staff.url

    patient = open_page(**PHONE)
    patient.goto(link)
    say_birth_date(patient, BORN)
    patient.locator(PRIMARY).scroll_into_view_if_needed()
    button = patient.locator(PRIMARY).bounding_box()
    assert button is not None
    with server.held_up():
        for _ in range(2):
            with patient.expect_request(lambda request: request.method == "POST"):
                patient.mouse.click(
                    button["x"] + button["width"] / 2, button["y"] + button["height"] / 2
                )
    patient.wait_for_url("**/about-you")

    other = open_page(**PHONE)
    other.goto(link)
    say_birth_date(other, BORN)
    other.route(link, lose_the_answer, times=1)
    cookies = other.context.cookies()
    journey.press(other, PRIMARY)
    assert other.locator("h1").count() == 0
    other.context.clear_cookies()  # the cookies of the lost answer
    other.context.add_cookies(cookies)  # type: ignore[arg-type]
    other.goto(link)
    say_birth_date(other, BORN)
    journey.press(other, PRIMARY)
    assert journey.path(other) == "/about-you"
    other.fill("[name=name]", "Somebody Else")
    journey.press_continue(other)
    assert "The clinic knows another name" in other.inner_text("main")
    other.check("[name=right][value=typed]")
    journey.press_continue(other)
    journey.answer_questions(other, journey.ALL_NO)
    reference = journey.send(other)
    for page in (page_of_it, f"/clinic/screenings/{reference}"):
        staff.goto(page)
        expect(staff.locator("main")).to_contain_text("Not as invited")


def lose_the_answer(route: Route) -> None:
    """Let the server receive the request, and the browser nothing of the answer."""
    route.fetch(max_redirects=0)
    route.fulfill(status=503, body="")
