"""Every combination of answers has exactly the outcome and the findings that the source's facts ask for.

The rules are stated here a second time and in another form: not as conditions, but as what each page of answers puts
on one of three shelves, from which the findings are then read off.
"""

from __future__ import annotations

from itertools import product

import pytest

from screening.domain.answers import read_answers
from screening.domain.evaluate import evaluate
from tests.builders import book

SHELVES = ("contraindication", "clarify", "caution")  # the most severe first

# The first page asks two things. F3: pregnant is a contraindication. F10: planning a pregnancy is a caution.
# A dot is an answer that is not given; the second column is only asked when the first is "no".
PREGNANCY_PAGE = """
    pregnancy  pregnancy_planned  shelf             finding
    yes        .                  contraindication  pregnancy
    unsure     .                  clarify           clarify-pregnancy
    private    .                  clarify           clarify-pregnancy
    .          .                  clarify           clarify-pregnancy
    no         yes                caution           pregnancy_planned
    no         unsure             clarify           clarify-pregnancy_planned
    no         private            clarify           clarify-pregnancy_planned
    no         .                  clarify           clarify-pregnancy_planned
    no         no                 .                 .
"""

# The other pages ask one thing that matters each, in this order; on which shelf does a "yes" go?
YES_GOES_TO = {
    "breastfeeding": "contraindication",  # F4
    "infection": "contraindication",  # F5
    "hypersensitivity": "contraindication",  # F6
    "iud": "caution",  # F11
    "vaccines": "caution",  # F18
}

# One way to fill in one page: the values given, and the shelf and finding that follow from them.
Page = tuple[dict[str, str], str, str]


def pregnancy_pages() -> list[Page]:
    header, *rows = (line.split() for line in PREGNANCY_PAGE.strip().splitlines())
    pages = []
    for *given, shelf, finding in rows:
        values = {asked: value for asked, value in zip(header, given, strict=False) if value != "."}
        pages.append((values, shelf, finding))
    return pages


def other_pages(question: str) -> list[Page]:
    unknown = f"clarify-{question}"
    return [
        ({question: "yes"}, YES_GOES_TO[question], question),
        ({question: "no"}, ".", "."),
        ({question: "unsure"}, "clarify", unknown),
        ({question: "private"}, "clarify", unknown),
        ({}, "clarify", unknown),
    ]


def read_off(pages: tuple[Page, ...]) -> tuple[str, list[str]]:
    """The outcome and the ids of the findings, by putting each page's finding on its shelf in turn."""
    found = {shelf: [finding for _, on, finding in pages if on == shelf] for shelf in SHELVES}
    outcome = next((shelf for shelf in SHELVES if found[shelf]), "none")
    return outcome, [finding for shelf in SHELVES for finding in found[shelf]]


@pytest.mark.parametrize("first", pregnancy_pages(), ids=lambda page: "-".join(page[0].values()) or "missing")
def test_every_combination_gives_exactly_what_the_facts_ask_for(first: Page) -> None:
    rules = book()
    wrong = []
    combinations = 0
    for pages in product([first], *map(other_pages, YES_GOES_TO)):
        values = {asked: value for given, _, _ in pages for asked, value in given.items()}
        assessment = evaluate(rules, read_answers(rules, values))
        got = assessment.outcome.word, [finding.rule for finding in assessment.findings]
        if got != read_off(pages):
            wrong.append((values, got, read_off(pages)))
        combinations += 1
    assert not wrong, f"{len(wrong)} of {combinations}, such as (answers, got, expected): {wrong[0]}"
    assert combinations == 5**5


def test_no_choice_and_no_question_that_rules_read_is_left_out_of_the_combinations() -> None:
    tried: dict[str, set[str]] = {}
    for values, _, _ in [*pregnancy_pages(), *(page for question in YES_GOES_TO for page in other_pages(question))]:
        for asked, value in values.items():
            tried.setdefault(asked, set()).add(value)
    read_by_rules = {asked for rule in book().rules for asked, _ in rule.when}
    assert {item.id: set(item.option_ids) for item in book().asked() if item.id in read_by_rules} == tried
