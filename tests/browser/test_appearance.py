"""Pages in print, in forced colours, in the dark, and with words longer than a line."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from screening.domain.answers import NAME_LENGTH, TEXT_LENGTH, VISIT_LENGTH
from tests.browser import journey
from tests.browser.inspection import assert_well_built
from tests.browser.journey import ALL_NO, ANSWERS, Person

LOOK = """element => {
  const style = getComputedStyle(element);
  return ["outline", "border"]
    .flatMap(frame => [`${frame}-style`, `${frame}-width`, `${frame}-color`])
    .map(name => style.getPropertyValue(name)).join(" ");
}"""
LUMINANCE = """() => {
  const colour = getComputedStyle(document.documentElement).backgroundColor;
  const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}"""


@pytest.fixture
def question(page: Page) -> Page:
    """Open a question whose choice opens a group of choices, in forced colours."""
    journey.jump_to(page, "pregnancy")
    page.emulate_media(forced_colors="active")
    return page


def look(page: Page, name: str, value: str) -> str:
    """Return the styles of the frame of a choice."""
    return page.locator(f".choice:has([name={name}][value={value}])").evaluate(LOOK)


def test_the_printed_copy_shows_every_answer_and_nothing_to_press(page: Page) -> None:
    journey.jump_to(page, "check")
    reference = journey.send(page)
    page.goto("/copy")
    page.emulate_media(media="print")
    answers = page.locator(".answers dt, .answers dd.answer")
    assert answers.count() == 2 * (5 + len(ANSWERS))
    assert all(element.is_visible() for element in answers.all())
    assert reference in page.inner_text("main")
    assert [
        element for element in page.locator("a, button, input, nav").all() if element.is_visible()
    ] == []


def test_the_printed_check_page_says_that_nothing_was_sent(page: Page) -> None:
    journey.jump_to(page, "check")
    assert not page.get_by_text("Not sent.").is_visible()
    page.emulate_media(media="print")
    assert page.get_by_text("Not sent. The clinic does not have these answers yet.").is_visible()


def test_in_forced_colours_the_chosen_answers_can_be_told_from_the_others(question: Page) -> None:
    question.check("[name=pregnancy][value=no]")
    question.check("[name=pregnancy_planned][value=unsure]")
    question.focus(journey.CONTINUE)
    for name, chosen in {"pregnancy": "no", "pregnancy_planned": "unsure"}.items():
        looks = {value: look(question, name, value) for value in ("yes", "no", "unsure", "private")}
        others = {looks[value] for value in looks if value != chosen}
        assert len(others) == 1
        assert looks[chosen] not in others


def test_in_forced_colours_the_focus_can_be_seen_on_a_chosen_answer(question: Page) -> None:
    question.focus("[name=pregnancy][value=yes]")
    question.keyboard.press("Space")
    focused = look(question, "pregnancy", "yes")
    question.focus(journey.CONTINUE)
    assert look(question, "pregnancy", "yes") != focused


def test_the_dark_scheme_is_dark_and_the_light_one_light(page: Page) -> None:
    page.goto("/")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(LUMINANCE) < 0.2
    page.emulate_media(color_scheme="light")
    assert page.evaluate(LUMINANCE) > 0.8


def test_words_longer_than_a_line_break_instead_of_widening_the_page(page: Page) -> None:
    person = Person(name="N" * NAME_LENGTH, visit="7" * VISIT_LENGTH)
    answers = {
        **ALL_NO,
        "hypersensitivity": "unsure",
        "hypersensitivity_reaction": "W" * TEXT_LENGTH,
    }
    journey.jump_to(page, "check", answers, person)
    assert_well_built(page)
    page.goto("/questions/hypersensitivity")
    assert_well_built(page)
    page.goto("/check")
    journey.send(page)
    page.goto("/copy")
    assert_well_built(page)
