"""A narrow phone with text at 200 %: whole words; question and message of an error are in sight."""

from __future__ import annotations

import shutil
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.inspection import assert_well_built
from tests.browser.server import LiveServer

PHONE = {"width": 320, "height": 640}
BROKEN_WORDS = """() => {
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const broken = [];
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const parent = text.parentElement;
    if (!parent.checkVisibility() || parent.closest(".visually-hidden")) continue;
    for (const word of text.data.matchAll(/[^\\s\\u2010-\\u2014-]+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const tops = [...range.getClientRects()].map(box => Math.round(box.top));
      if (new Set(tops).size > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""
INDENTS = """() => {
  const left = document.querySelector(".question").getBoundingClientRect().left;
  return [...document.querySelectorAll(".follow-up .choice")]
    .filter(choice => choice.checkVisibility())
    .map(choice => choice.getBoundingClientRect().left - left);
}"""
TOO_WIDE = """() => [...document.querySelectorAll("main *")]
  .filter(element => element.checkVisibility())
  .filter(element => element.getBoundingClientRect().right > innerWidth)
  .map(element => element.outerHTML)"""
# If the choices of a question go on below a follow-up with the same choices, a frame must separate
# the two.
FRAMES = """() => [...document.querySelectorAll(".follow-up")]
  .filter(followUp => followUp.checkVisibility())
  .map(followUp => {
    const style = getComputedStyle(followUp);
    return ["Left", "Bottom"].some(side => parseFloat(style[`border${side}Width`]) >= 3);
  })"""
OWN_WORDS = """
Write to [privacy@northside-rheumatology.example](mailto:privacy@northside-rheumatology.example).

    a line of code that is longer than a phone is wide, and goes on

https://northside-rheumatology.example/without/any/blank/in/it/at/all.html
"""
IN_SIGHT = """(selector) => {
  const {top, bottom} = document.querySelector(selector).getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}"""


@pytest.fixture
def phone(page: Page) -> Page:
    """Open a phone of 320 px whose text is set to twice the size."""
    large_text(page)
    return page


def large_text(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.context.new_cdp_session(page).send(
        "Page.setFontSizes", {"fontSizes": {"standard": 32, "fixed": 26}}
    )


@pytest.mark.parametrize("language", ["en", "es"])
def test_no_word_is_broken_and_no_follow_up_indented_at_twice_the_size(
    phone: Page, language: str
) -> None:
    journey.begin(phone)
    assert phone.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
    journey.press_language(phone, language) if language != "en" else None
    assert phone.evaluate(BROKEN_WORDS) == []
    journey.fill_about_you(phone, journey.SOMEONE)
    journey.press_continue(phone)
    while (question := journey.current_question(phone)) is not None:
        journey.fill_question(phone, question, journey.ANSWERS)
        assert phone.evaluate(BROKEN_WORDS) == [], question.id
        assert max(phone.evaluate(INDENTS), default=0) < 8, question.id
        assert all(phone.evaluate(FRAMES)), question.id
        assert_well_built(phone, language=language)
        journey.press_continue(phone)


def test_on_the_same_phone_with_small_text_follow_ups_are_indented(page: Page) -> None:
    journey.jump_to(page, "pregnancy")
    page.check("[name=pregnancy][value=no]")
    assert min(page.evaluate(INDENTS)) >= 32
    assert all(page.evaluate(FRAMES))


def test_the_mark_of_an_error_is_as_high_as_its_group(page: Page) -> None:
    journey.jump_to(page, "hypersensitivity")
    journey.press_continue(page)
    shown = Image.open(BytesIO(page.locator(".question").screenshot()))
    assert shown.getpixel((2, 2)) == shown.getpixel((2, shown.height // 2))


def test_the_own_words_of_a_clinic_fit_the_phone(phone: Page, server: LiveServer) -> None:
    folder = server.instance / "texts"
    folder.mkdir()
    (folder / "privacy.en.md").write_text(OWN_WORDS)
    try:
        phone.goto("/privacy")
        assert phone.evaluate(TOO_WIDE) == []
        assert_well_built(phone)
    finally:
        shutil.rmtree(folder)


def test_a_link_of_the_error_summary_shows_question_message_and_choice(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    journey.jump_to(page, "pregnancy")
    journey.press_continue(page)
    for id, legend in (
        ("pregnancy", ".question > legend"),
        ("pregnancy_planned", ".follow-up legend"),
    ):
        page.click(f'.error-summary a[href="#{id}"]')
        assert page.evaluate("document.activeElement.id") == id
        for selector in (legend, f"#{id}-error", f".choice:has(#{id})"):
            assert page.evaluate(IN_SIGHT, selector), (id, selector)
        assert (
            page.locator(f".choice:has(#{id})").evaluate(
                "element => getComputedStyle(element).outlineStyle"
            )
            == "solid"
        )
        page.check("[name=pregnancy][value=no]")
        journey.press_continue(page)


def test_at_twice_the_size_the_message_and_its_choice_are_in_sight(phone: Page) -> None:
    journey.jump_to(phone, "pregnancy")
    phone.check("[name=pregnancy][value=no]")
    journey.press_continue(phone)
    phone.click(".error-summary a")
    for selector in ("#pregnancy_planned-error", ".choice:has(#pregnancy_planned)"):
        assert phone.evaluate(IN_SIGHT, selector), selector
