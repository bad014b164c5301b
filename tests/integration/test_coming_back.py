"""A closed browser, one without cookies, a refused page: no patient and no answer is lost."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.integration.visitor import NO_TO_ALL, Visitor

pytestmark = pytest.mark.one_database


@pytest.fixture
def patient(sqlite_app: Flask) -> Visitor:
    """A patient at the second question."""
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.answer({"pregnancy": NO_TO_ALL["pregnancy"]})
    return visitor


def close_the_browser(visitor: Visitor) -> None:
    """What a browser keeps of a session, and opens again the page that was shown."""
    visitor.client.delete_cookie("session", domain="localhost")


def test_a_page_shown_before_the_browser_was_closed_is_accepted(patient: Visitor) -> None:
    close_the_browser(patient)
    patient.post("/questions/breastfeeding", {"breastfeeding": "no"})
    assert patient.path == "/questions/infection"


def test_the_language_that_was_chosen_comes_back_with_the_draft(patient: Visitor) -> None:
    patient.post("/language", {"language": "es", "next": "/leaflet"})
    close_the_browser(patient)
    assert '<html lang="es"' in patient.get("/continue").text
    patient.post("/questions/breastfeeding", {"breastfeeding": "no"})
    close_the_browser(patient)
    assert '<html lang="es"' in patient.get("/").text, "the next step has kept it"


def test_a_forged_form_is_refused_after_the_browser_was_closed_too(
    sqlite_app: Flask, patient: Visitor
) -> None:
    stranger = Visitor(sqlite_app)
    stranger.begin()
    for _ in range(2):
        patient.page = stranger.page  # with a token for the stranger's own draft
        assert (
            patient.post("/questions/breastfeeding", {"breastfeeding": "unsure"}).status_code == 400
        )
        close_the_browser(patient)
    assert patient.get("/continue").request.path == "/questions/breastfeeding"


def test_a_form_of_an_earlier_patient_is_refused_after_the_browser_was_closed(
    patient: Visitor,
) -> None:
    of_the_first = patient.page
    patient.get("/")
    patient.post("/")
    patient.begin(name="Second Patient")
    patient.answer({"pregnancy": NO_TO_ALL["pregnancy"]})
    close_the_browser(patient)
    patient.page = of_the_first
    assert patient.post("/questions/breastfeeding", {"breastfeeding": "unsure"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/account/sign-in", "/language"])
def test_without_cookies_a_page_names_them_and_leads_out(sqlite_app: Flask, path: str) -> None:
    assert_cookies_are_named(sqlite_app, path)


def assert_cookies_are_named(app: Flask, path: str, **typed: str) -> None:
    """Send a form without cookies, in both languages."""
    browser = app.test_client(use_cookies=False)
    back = "/leaflet" if path == "/language" else path
    for _ in range(2):
        page = browser.post(
            path, data={"csrf_token": "x", "next": "/leaflet", **typed}, follow_redirects=True
        )
        assert page.request.path == "/cookies"
        for words in (
            "does not keep cookies",
            "allow cookies",
            "on paper or by phone",
            f'href="{back}"',
        ):
            assert words in page.text
    page = browser.post("/language", data={"next": back, "language": "es"}, follow_redirects=True)
    assert "Su navegador no guarda cookies" in page.text
    assert f'href="{back}"' in page.text
    assert 'href="//evil' not in browser.get("/cookies?next=//evil.example").text


def test_a_browser_that_keeps_cookies_is_told_that_the_page_was_open_for_too_long(
    sqlite_app: Flask,
) -> None:
    visitor = Visitor(sqlite_app)
    visitor.get("/")
    close_the_browser(visitor)
    visitor.post("/")
    assert "This page was open for too long" in visitor.text
    assert 'href="/"' in visitor.page.text
    visitor.get("/")
    visitor.post("/")
    assert visitor.path == "/about-you"


def test_start_pressed_twice_leads_to_the_one_that_was_begun(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    start = visitor.page
    visitor.post("/")
    visitor.page = start
    visitor.post("/")
    assert visitor.path == "/"
    assert "Go on with my answers" in visitor.text


def test_the_start_page_asks_to_delete_answers_that_somebody_else_began(patient: Visitor) -> None:
    patient.get("/")
    assert "If they are not yours, delete them." in patient.text
    assert 'href="/delete"' in patient.page.text
    patient.get("/delete")
    patient.post("/finish")
    assert patient.path == "/deleted"
    assert "Go on with my answers" not in patient.get("/").text


def test_what_was_refused_is_shown_after_a_redirect_and_on_every_reload(patient: Visitor) -> None:
    patient.answer({"breastfeeding": NO_TO_ALL["breastfeeding"]})
    long = "x" * 501
    typed = {"infection": "yes", "infection_symptoms": ["fever", "chills"], "infection_since": long}
    patient.post("/questions/infection", typed)
    assert [(response.status_code, response.location) for response in patient.page.history] == [
        (303, "/questions/infection")
    ]
    for _ in range(2):
        assert "<title>Error:" in patient.page.text
        for name, value in (
            ("infection", "yes"),
            ("infection_symptoms", "fever"),
            ("infection_symptoms", "chills"),
        ):
            assert re.search(rf'name="{name}" value="{value}" checked', patient.page.text)
        assert long in patient.page.text
        patient.get("/questions/infection")
    patient.post("/questions/infection", {**typed, "language": "es"})
    assert "<title>Error:" in patient.page.text, "a change of language keeps the errors"
    assert "Escriba un poco menos" in patient.text
    patient.post("/questions/infection", {"infection": "no", "infection_since": long})
    assert patient.path == "/questions/hypersensitivity", (
        "a follow-up that is hidden now is not held against anybody"
    )
    assert long not in patient.get("/questions/infection").text


def test_what_is_typed_before_the_language_is_changed_is_no_fault_yet(patient: Visitor) -> None:
    patient.post("/questions/breastfeeding", {"language": "es"})
    assert "<title>Error:" not in patient.page.text
    patient.post("/questions/breastfeeding")
    assert "<title>Error:" in patient.page.text


def test_back_lets_go_of_what_was_refused(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin(name="")
    assert "<title>Error:" in visitor.page.text
    visitor.post("/about-you", {"name": "", "birth_year": "88", "back": "1"})
    assert visitor.path == "/"
    assert "<title>Error:" not in visitor.get("/about-you").text
    assert 'value="88"' not in visitor.page.text


def test_a_page_before_the_refused_one_can_be_changed_without_losing_what_was_typed(
    patient: Visitor,
) -> None:
    patient.answer({"breastfeeding": NO_TO_ALL["breastfeeding"]})
    patient.post(
        "/questions/infection", {"infection_since": "Tuesday", "infection_symptoms": "fever"}
    )
    patient.post("/questions/breastfeeding", {"breastfeeding": "unsure"})
    assert patient.path == "/questions/infection"
    assert "Tuesday" in patient.text


def test_after_stop_on_a_change_the_patient_goes_on_where_the_text_is(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.fill_in()
    visitor.post("/questions/vaccines", {"vaccines_when": "In May", "stop": "1"})
    assert visitor.path == "/stop"
    visitor.get("/continue")
    assert visitor.path == "/questions/vaccines"
    assert "In May" in visitor.text
    assert "<title>Error:" not in visitor.page.text
    visitor.post("/questions/vaccines", {"vaccines": "no"})
    assert visitor.get("/continue").request.path == "/check"
