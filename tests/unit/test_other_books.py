"""Rule books that could be written: what evaluation and loading promise for each of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.domain.answers import Answers
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook, Severity
from screening.rulebooks.load import InvalidRuleBook, load_content
from screening.rulebooks.reading import RuleBookFault
from tests.builders import a_rule, answers_of
from tests.unit.small_book import all_no, book, book_with

Content = dict[str, Any]


def book_with_rule(**rule: Any) -> RuleBook:
    return book_with(lambda content: content["rule"].append(a_rule(**rule)))


def fever_book(*more_options: Content) -> RuleBook:
    """A book with a rule that reads the signs of infection, of which several may be chosen."""

    def change(content: Content) -> None:
        symptoms = content["question"][1]["follow_up"][0]
        symptoms["clarify"] = "Establish the signs."
        symptoms["options"].extend(more_options)
        content["rule"].append(a_rule(when={"infection_symptoms": ["fever", "chills"]}))

    return book_with(change)


def ids(rules: RuleBook, **changes: Any) -> list[str]:
    return [
        finding.rule for finding in evaluate(rules, answers_of(rules, **all_no(**changes))).findings
    ]


def test_a_rule_over_two_questions_fires_only_when_both_hold() -> None:
    rules = book_with_rule(when={"iud": ["yes"], "vaccines": ["no"]})
    assert ids(rules, iud="yes") == ["iud", "extra"]
    assert ids(rules) == []
    assert ids(rules, iud="yes", vaccines="yes") == ["iud", "vaccines"]
    assert ids(rules, iud="yes", vaccines="unsure") == ["clarify-vaccines", "iud"]


def test_a_rule_that_accepts_several_values_fires_on_each() -> None:
    rules = book_with_rule(when={"iud": ["yes", "no"]})
    assert ids(rules) == ["extra"]
    assert ids(rules, iud="yes") == ["iud", "extra"]
    assert ids(rules, iud="private") == ["clarify-iud"]


def test_a_finding_over_two_questions_rests_on_the_one_asked_last() -> None:
    rules = book_with_rule(when={"vaccines": ["yes"], "infection": ["no"]})
    (_, finding) = evaluate(rules, answers_of(rules, **all_no(vaccines="yes"))).findings
    assert finding.answer == "vaccines"


def test_a_rule_reads_any_of_several_options_chosen() -> None:
    rules = fever_book()
    assert ids(rules, infection="yes", infection_symptoms=["fever", "aches"]) == [
        "infection",
        "extra",
    ]
    assert ids(rules, infection="yes", infection_symptoms=["fever", "chills"]) == [
        "infection",
        "extra",
    ]
    assert ids(rules, infection="yes", infection_symptoms=["aches"]) == ["infection"]


@pytest.mark.parametrize("nothing", [None, []])
def test_several_options_of_which_none_is_chosen_are_open(nothing: object) -> None:
    rules = fever_book()
    assert ids(rules, infection="yes", infection_symptoms=nothing) == [
        "infection",
        "clarify-infection_symptoms",
    ]
    assert ids(rules, infection="unsure") == ["clarify-infection", "clarify-infection_symptoms"]
    assert ids(rules, infection="no") == []


@pytest.mark.parametrize("chosen", [["unsure"], ["private"], ["aches", "unsure"]])
def test_unsure_or_private_among_several_options_asks_to_clarify(chosen: list[str]) -> None:
    rules = fever_book(
        {"id": "unsure", "label": "I am not sure"}, {"id": "private", "label": "In private"}
    )
    assert "clarify-infection_symptoms" in ids(rules, infection="yes", infection_symptoms=chosen)


def test_an_adverse_follow_up_is_found_although_its_question_is_unsure() -> None:
    findings = ids(fever_book(), infection="unsure", infection_symptoms=["fever"])
    assert findings == ["clarify-infection", "extra"]


def test_findings_stand_in_the_order_asked_in_whatever_order_rules_are_written() -> None:
    rules = book_with(lambda content: content["rule"].reverse())
    every = {question.id: "yes" for question in rules.questions}
    assert ids(rules, **every) == ids(book(), **every)
    assert ids(rules, **every) == ["pregnancy", "infection", "iud", "vaccines"]


def test_findings_of_one_question_stand_in_the_order_of_the_rules() -> None:
    rules = book_with_rule(when={"infection": ["yes"]}, severity="contraindication")
    assert ids(rules, infection="yes") == ["infection", "extra"]


def test_an_edition_of_rules_over_two_questions_is_equal_when_loaded_again() -> None:
    content = json.loads(book().edition.content)["en"]
    content["rule"].append(a_rule(when={"vaccines": ["yes"], "infection": ["no"]}))
    written = load_content(json.dumps({"en": content}))
    assert load_content(written["en"].edition.content) == written


def test_another_book_has_another_digest_in_its_assessments() -> None:
    rules = book_with_rule(when={"iud": ["no"]})
    assessment = evaluate(rules, Answers())
    assert assessment.digest == rules.edition.digest != book().edition.digest
    assert assessment.outcome is Severity.CLARIFY


keys = st.sampled_from(
    ["yes", "unsure", "id", "ask", "when", "iud", "of", "text", "points", "1", " ", "é"]
)
words = st.sampled_from(
    ["", " ", "yes", "unsure", "iud", "F1", "draft", "one", "text", "caution", "2026-01-31", "é"]
)
scalars = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | words | st.text(max_size=5)
)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
EDITS = ("replace", "remove", "rename", "repeat", "add")


def edit(content: Any, data: st.DataObject) -> None:
    """Change something somewhere below `content`, in place."""
    while True:
        places = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not places:
            return
        key = data.draw(st.sampled_from(places))
        if isinstance(content[key], dict | list) and data.draw(st.integers(0, 5)):
            content = content[key]
            continue
        match data.draw(st.sampled_from(EDITS)):
            case "replace":
                content[key] = data.draw(junk)
            case "remove":
                del content[key]
            case "rename" if isinstance(content, dict):
                content[data.draw(keys)] = content.pop(key)
            case "repeat" if isinstance(content, list):
                content.append(content[key])
            case _:
                if isinstance(content, dict):
                    content[data.draw(keys)] = data.draw(junk)
                else:
                    content.insert(key, data.draw(junk))
        return


def load_or_faults(content: Content) -> Mapping[str, RuleBook] | list[RuleBookFault]:
    try:
        return load_content(json.dumps(content))
    except InvalidRuleBook as err:
        return err.faults


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.data())
def test_an_edited_book_either_loads_or_is_refused_with_faults_that_say_where(
    data: st.DataObject,
) -> None:
    content = json.loads(book().edition.content)
    if data.draw(st.booleans()):
        del content["es"]  # English alone can be reworded
    for _ in range(data.draw(st.integers(1, 4))):
        edit(content[data.draw(st.sampled_from(list(content)))], data)
    result = load_or_faults(content)
    if isinstance(result, list):
        assert result
        assert all(
            fault.file and fault.place and fault.problem and fault.remedy for fault in result
        )
    else:
        assert load_content(result["en"].edition.content) == result
        assert evaluate(result["en"], Answers()).outcome is Severity.CLARIFY
