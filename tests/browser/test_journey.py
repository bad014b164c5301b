"""From the start page to the reference, and the pages that a patient sees afterwards."""

from __future__ import annotations

import pytest

from tests.browser import journey
from tests.browser.inspection import assert_well_built
from tests.browser.journey import ALL_NO, ANSWERS, SOMEONE, OpenPage
from tests.browser.server import LiveServer

DATES = {"en": "March 12, 1985", "es": "12 de marzo de 1985"}


# Each pair of the three values occurs at least once.
@pytest.mark.parametrize(
    ("language", "script", "width"),
    [("en", True, 320), ("en", False, 1280), ("es", True, 1280), ("es", False, 320)],
)
def test_the_whole_way_keeps_every_answer_as_given(
    open_page: OpenPage, server: LiveServer, language: str, script: bool, width: int
) -> None:
    page = open_page(java_script_enabled=script, viewport={"width": width, "height": 800})
    page.goto("/")
    assert_well_built(page)
    if language != "en":
        journey.press_language(page, language)
    journey.press(page, journey.START)
    assert_well_built(page, language=language)
    journey.fill_about_you(page, SOMEONE)
    journey.press_continue(page)
    for question in journey.QUESTIONS:
        assert journey.path(page) == f"/questions/{question.id}"
        journey.fill_question(page, question, ANSWERS)
        assert_well_built(page, language=language)
        journey.press_continue(page)

    assert journey.path(page) == "/check"
    assert_well_built(page, language=language)
    about = [SOMEONE.name, DATES[language], SOMEONE.visit]
    rows = journey.expected_rows(ANSWERS, language)
    assert [answer for _, answer in journey.listed(page)[:3]] == about
    assert journey.listed(page)[3:] == rows
    assert page.locator(".answers b, .answers i").count() == 0

    reference = journey.send(page)
    assert journey.path(page) == "/done"
    assert_well_built(page, language=language)
    assert journey.REFERENCE.fullmatch(reference)
    assert server.references()[-1] == reference

    journey.press(page, 'a[href$="/copy"]')
    assert_well_built(page, language=language)
    copied = journey.listed(page)
    assert copied[0][1] == reference
    assert [answer for _, answer in copied[2:5]] == about
    assert copied[5:] == rows
    assert page.locator(".answers b, .answers i").count() == 0


def test_what_is_shown_after_sending_is_the_same_for_everyone(open_page: OpenPage) -> None:
    shown = []
    for answers in (
        ALL_NO,
        ALL_NO | {"pregnancy": "yes", "breastfeeding": "yes", "infection": "unsure"},
    ):
        page = open_page()
        journey.jump_to(page, "check", answers)
        reference = journey.send(page)
        shown.append(page.inner_text("body").replace(reference, "REFERENCE"))
    assert shown[0] == shown[1]
