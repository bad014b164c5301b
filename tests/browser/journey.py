"""The steps of a patient through the pages.

Fields are found by name and value, never by their wording.
"""

from __future__ import annotations

import http
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode

from playwright.sync_api import Page, Route

from screening.domain.answers import Value
from screening.domain.rules import Kind, Question
from screening.rulebooks.load import load

# the fixture `open_page`: arguments of a browser context -> its page
OpenPage = Callable[..., Page]

BOOKS = load()
QUESTIONS = BOOKS["en"].questions

START = 'main form[action="/"] button'
CONTINUE = "#page-form button.primary"
SEND = 'main form[action$="/submit"] button'
FINISH = 'main form[action$="/finish"] button'
BACK = ".back a, .back button"
CHECK = "check"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = re.compile('name="csrf_token" value="([^"]+)"')
REFERENCE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The values that a patient types on the about-you page."""

    name: str
    day: str = "12"
    month: str = "3"
    year: str = "1985"
    visit: str = ""


# Accents, an apostrophe, two directions of writing and markup: all of it must come back as typed.
SOMEONE = Person(name="Zoë O'Hara-Ñandú عمر <b>bold</b>", visit="V-0042 & <i>co</i>")

# Every follow-up opened, every text filled in.
ANSWERS: Mapping[str, Value] = MappingProxyType(
    {
        "pregnancy": "no",
        "pregnancy_planned": "yes",
        "breastfeeding": "private",
        "infection": "unsure",
        "infection_symptoms": ("fever", "other"),
        "infection_since": "Since Tuesday, it's <b>worse</b> at night",
        "hypersensitivity": "yes",
        "hypersensitivity_signs": ("swelling_breathing", "unsure"),
        "hypersensitivity_reaction": 'Piel roja, ¿alergia?\nطفح جلدي "twice" & more',
        "iud": "yes",
        "iud_type": "copper",
        "vaccines": "yes",
        "vaccines_which": "Grippe, l'hépatite B",
        "vaccines_when": "Next month; ¡pronto!",
    }
)
ALL_NO: Mapping[str, Value] = MappingProxyType(
    {"pregnancy_planned": "no", **{question.id: "no" for question in QUESTIONS}}
)


def press(page: Page, selector: str) -> None:
    """Click an element that leads to another page, and wait for that page."""
    with page.expect_navigation():
        page.click(selector)


def go_back(page: Page) -> None:
    """Press the browser's own Back.

    A page may come out of the browser's memory, which loads nothing to wait for.
    """
    page.go_back(wait_until="commit")
    page.wait_for_selector("footer.bottom")


def without_has(route: Route) -> None:
    """Serve a style sheet as a browser without `:has()` reads it."""
    response = route.fetch()
    route.fulfill(response=response, body=response.text().replace(":has(", ":unknown("))


def begin(page: Page) -> None:
    """Go from the start page to about-you; delete answers that were begun on this device first."""
    page.goto("/")
    if page.locator(START).count() == 0:
        page.goto("/delete")
        press(page, FINISH)
        page.goto("/")
    press(page, START)


def fill_about_you(page: Page, person: Person) -> None:
    """Fill in the about-you page."""
    page.fill("[name=name]", person.name)
    page.fill("[name=birth_day]", person.day)
    page.fill("[name=birth_month]", person.month)
    page.fill("[name=birth_year]", person.year)
    page.fill("[name=visit]", person.visit)


def fill_question(page: Page, question: Question, answers: Mapping[str, Value]) -> None:
    """Choose and type the answers to one question and to the follow-ups that they open."""
    for item in question.page:
        value = on_page(question, answers).get(item.id, ())
        for choice in (value,) if isinstance(value, str) else value:
            if item.kind is Kind.TEXT:
                page.fill(f"[name={item.id}]", choice)
            else:
                page.check(f"[name={item.id}][value={choice}]")


def press_continue(page: Page) -> None:
    """Press Continue."""
    press(page, CONTINUE)


def press_language(page: Page, language: str) -> None:
    """Press the button of this language."""
    press(page, f"nav.languages button[value={language}]")


def answer_questions(page: Page, answers: Mapping[str, Value], *, until: str = CHECK) -> None:
    """Answer the open questions in order, up to the question `until` or to the check page."""
    while (question := current_question(page)) is not None and question.id != until:
        fill_question(page, question, answers)
        press_continue(page)
        assert current_question(page) != question, f"the answers to {question.id} were not accepted"


def walk_to(
    page: Page, until: str, answers: Mapping[str, Value] = ANSWERS, person: Person = SOMEONE
) -> None:
    """Go from the start page to a question or to the check page, each page in the browser."""
    begin(page)
    fill_about_you(page, person)
    press_continue(page)
    answer_questions(page, answers, until=until)


def jump_to(
    page: Page, until: str, answers: Mapping[str, Value] = ANSWERS, person: Person = SOMEONE
) -> None:
    """Go to a page as `walk_to` does, but post the forms directly, which is much faster."""

    def token() -> str:
        match = TOKEN.search(page.request.get("/").text())
        assert match is not None
        return match[1]

    def post(path: str, typed: Mapping[str, Value]) -> None:
        fields = {"csrf_token": token(), **typed}
        response = page.request.post(
            path, data=urlencode(fields, doseq=True), headers=FORM, max_redirects=0
        )
        assert response.status == http.HTTPStatus.SEE_OTHER, f"{path}: {response.status}"

    post("/", {})
    date = {"birth_day": person.day, "birth_month": person.month, "birth_year": person.year}
    post("/about-you", {"name": person.name, "visit": person.visit, **date})
    for question in itertools.takewhile(lambda question: question.id != until, QUESTIONS):
        post(f"/questions/{question.id}", on_page(question, answers))
    page.goto("/continue")


def send(page: Page) -> str:
    """Send from the check page, and return the reference on the done page."""
    press(page, SEND)
    return reference(page)


def reference(page: Page) -> str:
    """Return the reference on the done page."""
    return page.inner_text(".reference")


def current_question(page: Page) -> Question | None:
    """Return the question of the page in the browser, or None."""
    place = path(page).removeprefix("/questions/")
    return next((question for question in QUESTIONS if question.id == place), None)


def path(page: Page) -> str:
    """Return the path of the page's address."""
    return re.sub(r"^\w+://[^/]+|[?#].*$", "", page.url)


def listed(page: Page) -> list[tuple[str, str]]:
    """Return each row of a page of answers: label or question, and the answer as its exact text."""
    script = """rows => rows.map(
      row => ['dt', 'dd.answer'].map(part => row.querySelector(part).textContent)
    )"""
    return [
        (label, answer) for label, answer in page.locator(".answers > div").evaluate_all(script)
    ]


def filled_in(page: Page) -> dict[str, Value]:
    """Return the values of the inputs of the page's form.

    Text is as typed, one choice is its value, several are a tuple.
    """
    script = """form => [...new FormData(form)].filter(
      ([name]) => !['csrf_token', 'shown_in'].includes(name)
    )"""
    values: dict[str, Value] = {}
    for name, value in page.locator("#page-form").evaluate(script):
        several = page.locator(f"[name={name}]").first.get_attribute("type") == "checkbox"
        values[name] = (*values.get(name, ()), value) if several else value.replace("\r\n", "\n")
    return {name: value for name, value in values.items() if value}


def on_page(question: Question, answers: Mapping[str, Value]) -> dict[str, Value]:
    """Return the answers to this question and to the follow-ups that it opens."""
    closed = {
        follow_up.id
        for follow_up in question.follow_ups
        if answers[question.id] not in follow_up.when
    }
    return {
        item.id: answers[item.id]
        for item in question.page
        if item.id in answers and item.id not in closed
    }


def expected_rows(answers: Mapping[str, Value], language: str) -> list[tuple[str, str]]:
    """Return each question asked and its answer, in the wording of that language's rule book."""
    rows = []
    for question in BOOKS[language].questions:
        applying = on_page(question, answers)
        for item in question.page:
            if item.id in applying:
                labels = {option.id: option.label for option in item.options}
                value = applying[item.id]
                answer = (
                    value
                    if isinstance(value, str)
                    else ", ".join(labels[choice] for choice in value)
                )
                rows.append((item.ask, labels.get(answer, answer)))
    return rows
