"""Every combination of answers has the outcome and the findings that the facts ask for.

The rules are stated here a second time and in another form: not as conditions, but as what each
page of answers puts on one of three shelves, from which the findings are then read off.
"""

from __future__ import annotations

from itertools import combinations, product

import pytest

from screening.cli.rulebook import combinations as combinations_of
from screening.domain.answers import Fault, UnacceptableAnswers, read_answers
from screening.domain.evaluate import evaluate
from tests.builders import all_no, book
from tests.unit.test_comparison import table_agrees_with

SHELVES = ("contraindication", "clarify", "caution")  # the most severe first

# The first page asks two things. F3: pregnant is a contraindication. F10: planning a pregnancy is a
# caution. A dot is an answer that is not given; the second column is only asked when the first is
# "no".
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
    """The outcome and the ids of the findings, read from the shelves in their order."""
    shelved = {shelf: [finding for _, on, finding in pages if on == shelf] for shelf in SHELVES}
    outcome = next((shelf for shelf in SHELVES if shelved[shelf]), "none")
    return outcome, [finding for shelf in SHELVES for finding in shelved[shelf]]


@pytest.mark.parametrize(
    "first", pregnancy_pages(), ids=lambda page: "-".join(page[0].values()) or "missing"
)
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
    assert not wrong, (
        f"{len(wrong)} of {combinations}, such as (answers, got, expected): {wrong[0]}"
    )
    assert combinations == 5**5


def test_no_choice_and_no_question_that_rules_read_is_left_out_of_the_combinations() -> None:
    tried: dict[str, set[str]] = {}
    for values, _, _ in [
        *pregnancy_pages(),
        *(page for question in YES_GOES_TO for page in other_pages(question)),
    ]:
        for asked, value in values.items():
            tried.setdefault(asked, set()).add(value)
    read_by_rules = {asked for rule in book().rules for asked, _ in rule.when}
    assert {
        item.id: set(item.option_ids) for item in book().asked() if item.id in read_by_rules
    } == tried


def test_the_table_for_prescribers_says_exactly_what_every_combination_gives() -> None:
    asked = [item.id for item in book().asked()]
    # "private" gives the same findings as "unsure".
    every = [values for values in combinations_of(book()) if values["pregnancy"] != "private"]
    every += [
        {**all_no(), item: value}
        for item in all_no()
        for value in ("yes", "no", "unsure", "private", "")
    ]
    table_agrees_with(
        book(),
        ({item: frozenset(values.get(item, "").split()) for item in asked} for values in every),
    )


# The signs of a reaction to azathioprine, as a patient may tick them. F6 alone decides: a sign
# never changes the finding, because only the prescriber can tell hypersensitivity from intolerance.
# An x is a tick, in this order.
SIGNS = (
    "rash_hives",
    "swelling_breathing",
    "fever_chills_muscle_pain",
    "nausea_vomiting",
    "test_changed",
    "other",
    "unsure",
)
REACTION_PAGE = """
    answer   ticked   shelf             finding
    yes      .......  contraindication  hypersensitivity
    yes      x......  contraindication  hypersensitivity
    yes      .x.....  contraindication  hypersensitivity
    yes      ..x....  contraindication  hypersensitivity
    yes      ...x...  contraindication  hypersensitivity
    yes      ....x..  contraindication  hypersensitivity
    yes      .....x.  contraindication  hypersensitivity
    yes      ......x  contraindication  hypersensitivity
    yes      x..x..x  contraindication  hypersensitivity
    yes      xxxxxxx  contraindication  hypersensitivity
    unsure   .......  clarify           clarify-hypersensitivity
    unsure   x......  clarify           clarify-hypersensitivity
    unsure   .x.....  clarify           clarify-hypersensitivity
    unsure   ..x....  clarify           clarify-hypersensitivity
    unsure   ...x...  clarify           clarify-hypersensitivity
    unsure   ....x..  clarify           clarify-hypersensitivity
    unsure   .....x.  clarify           clarify-hypersensitivity
    unsure   ......x  clarify           clarify-hypersensitivity
    unsure   xxxxxxx  clarify           clarify-hypersensitivity
    private  .......  clarify           clarify-hypersensitivity
    .        .......  clarify           clarify-hypersensitivity
    no       .......  none              .
    private  x......  refused           .
    .        x......  refused           .
    no       x......  refused           .
"""
REACTIONS = [line.split() for line in REACTION_PAGE.strip().splitlines()[1:]]


def reaction(answer: str, signs: list[str]) -> tuple[str, str]:
    """The outcome and the finding where everything else is "no", or `refused`."""
    rest = dict.fromkeys(("pregnancy", "pregnancy_planned", *YES_GOES_TO), "no")
    values = rest | {
        "hypersensitivity": None if answer == "." else answer,
        "hypersensitivity_signs": signs,
    }
    try:
        assessment = evaluate(book(), read_answers(book(), values))
    except UnacceptableAnswers as err:
        return (
            "refused"
            if err.faults == {"hypersensitivity_signs": Fault.DOES_NOT_APPLY}
            else str(err)
        ), "."
    return assessment.outcome.word, ",".join(finding.rule for finding in assessment.findings) or "."


@pytest.mark.parametrize(("answer", "ticked", "shelf", "finding"), REACTIONS, ids=lambda cell: cell)
def test_signs_of_a_reaction_leave_the_finding_as_the_source_has_it(
    answer: str, ticked: str, shelf: str, finding: str
) -> None:
    signs = [sign for sign, mark in zip(SIGNS, ticked, strict=True) if mark == "x"]
    assert reaction(answer, signs) == (shelf, finding)


@pytest.mark.parametrize("answer", ["yes", "unsure"])
def test_no_set_of_signs_makes_a_difference(answer: str) -> None:
    sets = [list(some) for number in range(len(SIGNS) + 1) for some in combinations(SIGNS, number)]
    assert len(sets) == 128
    assert {reaction(answer, signs) for signs in sets} == {reaction(answer, [])}


def test_the_table_of_reactions_has_every_sign() -> None:
    (item,) = [item for item in book().asked() if item.id == "hypersensitivity_signs"]
    assert tuple(option.id for option in item.options) == SIGNS
