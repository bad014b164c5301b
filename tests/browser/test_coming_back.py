"""Behaviour of a real browser: it closes, keeps no cookies, goes back to the answer of a form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page

from tests.browser import colleague, journey
from tests.browser.inspection import assert_accessible, assert_well_built
from tests.browser.journey import QUESTIONS
from tests.browser.server import LiveServer, launch_options

STOP = "main [name=stop], main p.stop a"


@pytest.fixture(scope="session")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


def go_back(page: Page) -> None:
    """Press the browser's own Back.

    If it would have to send a form again, it shows an error page of its own.
    """
    page.go_back(wait_until="load")
    assert page.url.startswith("http://127.0.0.1"), "Confirm form resubmission"
    assert page.locator("footer.bottom").count() == 1, page.content()


def test_back_after_an_error_that_was_mended_shows_the_page_before(page: Page) -> None:
    journey.begin(page)
    journey.fill_about_you(page, journey.Person(name="Sample", year="88"))
    journey.press_continue(page)
    assert_well_built(page, error=True)
    page.fill("[name=birth_year]", "1988")
    journey.press_continue(page)
    go_back(page)
    assert journey.path(page) == "/about-you"
    assert journey.filled_in(page)["birth_year"] == "1988"
    page.goto("/questions/pregnancy")
    journey.press_continue(page)
    assert_well_built(page, error=True)
    journey.fill_question(page, QUESTIONS[0], journey.ALL_NO)
    journey.press_continue(page)
    go_back(page)
    assert journey.path(page) == "/questions/pregnancy"
    assert_well_built(page)


def test_back_after_a_change_of_language_shows_the_page_before(page: Page) -> None:
    journey.begin(page)
    page.fill("[name=name]", "Sample")
    journey.press_continue(page)
    journey.press_language(page, "es")
    assert_well_built(page, language="es", error=True)
    assert journey.filled_in(page) == {"name": "Sample"}
    journey.fill_about_you(page, journey.SOMEONE)
    journey.press_continue(page)
    go_back(page)
    assert journey.path(page) == "/about-you"
    assert_well_built(page, language="es")


def test_an_answer_given_after_the_browser_was_closed_is_not_lost(page: Page) -> None:
    journey.jump_to(page, QUESTIONS[0].id)
    journey.press_language(page, "es")
    page.context.clear_cookies(name="session")
    journey.fill_question(page, QUESTIONS[0], journey.ALL_NO)
    journey.press_continue(page)
    assert journey.path(page) == f"/questions/{QUESTIONS[1].id}"
    assert_well_built(page, language="es")


@pytest.fixture
def without_cookies(
    browser_type: BrowserType, server: LiveServer, tmp_path: Path
) -> Iterator[BrowserContext]:
    """A browser that keeps no cookies."""
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(blocked))
    size = {"width": 320, "height": 640}
    context = browser_type.launch_persistent_context(
        tmp_path, **launch_options(), viewport=size, locale="en-US", base_url=server.url
    )
    yield context
    context.close()


def test_a_browser_that_keeps_no_cookies_is_told_what_to_do(
    without_cookies: BrowserContext,
) -> None:
    page = without_cookies.new_page()
    page.goto("/")
    journey.press(page, journey.START)
    assert without_cookies.cookies() == []
    for language, words in (
        ("en", "Your browser does not keep cookies"),
        ("es", "Su navegador no guarda cookies"),
    ):
        assert page.inner_text("h1") == words
        assert_accessible(page, language=language)
        journey.press_language(page, "es" if language == "en" else "en")
    assert page.inner_text("h1") == "Your browser does not keep cookies"
    journey.press(page, "main a.primary")
    assert journey.path(page) == "/"
    colleague.sign_in(page, "nobody", "whatever it is")
    assert page.inner_text("h1") == "Your browser does not keep cookies"


def test_stop_is_away_from_continue_and_send(page: Page) -> None:
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        journey.jump_to(page, QUESTIONS[0].id)
        for path in ("/about-you", f"/questions/{QUESTIONS[0].id}"):
            page.goto(path)
            assert gap(page) >= 32
        journey.answer_questions(page, journey.ALL_NO)
        assert gap(page) >= 32


def gap(page: Page) -> float:
    """Return the pixels between the button of the page and Stop."""
    upper = page.locator("main button.primary").bounding_box()
    lower = page.locator(STOP).bounding_box()
    assert upper is not None
    assert lower is not None
    return lower["y"] - (upper["y"] + upper["height"])


def test_stop_keeps_what_was_typed_and_deleting_is_asked_first(
    page: Page, server: LiveServer
) -> None:
    question = QUESTIONS[2]
    typed = {"infection_symptoms": ("chills",), "infection_since": "Tuesday"}
    journey.jump_to(page, question.id)
    page.check("[name=infection][value=yes]")
    page.check("[name=infection_symptoms][value=chills]")
    page.fill("[name=infection_since]", "Tuesday")
    page.eval_on_selector("[name=infection][value=yes]", "input => input.checked = false")
    journey.press(page, STOP)
    assert journey.path(page) == "/stop"
    assert_accessible(page)
    journey.press(page, "main a.primary")
    assert_well_built(page)
    assert journey.filled_in(page) == typed
    page.check("[name=infection][value=no]")
    journey.press(page, STOP)
    journey.press(page, "main a.primary")
    assert journey.path(page) == f"/questions/{QUESTIONS[3].id}", "what is acceptable is saved"
    page.goto("/stop")
    journey.press(page, STOP)
    assert journey.path(page) == "/delete"
    assert_accessible(page)
    journey.press(page, journey.FINISH)
    assert page.inner_text("h1") == "Deleted. Nothing was sent."
    assert_accessible(page)
    page.reload()
    assert page.inner_text("h1") == "Deleted. Nothing was sent."
    go_back(page)


def test_finish_says_that_the_clinic_has_the_answers(page: Page) -> None:
    journey.jump_to(page, "check", journey.ALL_NO)
    journey.send(page)
    journey.press(page, journey.FINISH)
    assert page.inner_text("h1") == "You can close this page"
    assert "The clinic has your answers" in page.inner_text("main")
    assert_accessible(page)
