"""Two editions compared, and the table of one: exactly what trying every combination of answers tells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.cli.rulebook import combinations as packaged_combinations
from screening.domain.answers import Answer, Answers
from screening.domain.comparison import OutcomeChange, compare, outcomes_changed, texts_changed
from screening.domain.conditions import NOTHING, Condition, Said, truth_table
from screening.domain.evaluate import evaluate
from screening.domain.rules import Finding, FollowUp, Kind, Question, RuleBook, Severity
from screening.rulebooks.load import load_content
from tests.builders import all_no, answers_of, book, book_with, books
from tests.unit.test_editions import KEPT
from tests.unit.test_other_books import a_rule

Content = dict[str, Any]
Chosen = Mapping[str, frozenset[str]]
DECIDED = ("yes", "no")
OPEN = ("unsure", "private")


@st.composite
def generated_books(draw: st.DrawFn) -> RuleBook:
    """A small book: two questions, one follow-up or none for each, rules over one to three of these."""
    content = json.loads(KEPT)["en"]
    options: dict[str, list[str]] = {}
    opened: dict[str, tuple[str, list[str]]] = {}
    content["question"], content["rule"] = [], []
    for asked in draw(st.sampled_from([("a", "b"), ("b", "a"), ("a", "c"), ("b",)])):
        options[asked] = [*draw(st.lists(st.sampled_from(DECIDED), min_size=1, unique=True)), *OPEN]
        follow_ups = []
        if draw(st.booleans()):
            name, kind = f"{asked}1", draw(st.sampled_from(["one", "several", "several", "text"]))
            chosen = st.lists(st.sampled_from(["p", "q", "r", "unsure"]), min_size=1, max_size=3, unique=True)
            inner = draw(chosen) if kind != "text" else []
            when = draw(st.lists(st.sampled_from(options[asked]), min_size=1, max_size=3, unique=True))
            labelled = {"options": [{"id": one, "label": one.upper()} for one in inner]} if inner else {}
            words = {"ask": "?", "topic": name.upper(), "clarify": "Ask."}
            follow_ups.append({"id": name, "kind": kind, "when": when, **words, **labelled})
            if set(inner) - set(OPEN):
                options[name], opened[name] = inner, (asked, when)
        question = {"ask": "?", "why": "!", "topic": asked.upper(), "clarify": "Ask.", "valid_for_hours": 1}
        more = {"follow_up": follow_ups} if follow_ups else {}
        content["question"].append({"id": asked, "choices": options[asked], **question, **more})
    read = [[one["id"]] for one in content["question"]]  # each question is read by a rule
    read += draw(st.lists(st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=3, unique=True), max_size=4))
    for number, names in enumerate(read):
        when = {one: draw(some_of([value for value in options[one] if value not in OPEN])) for one in names}
        if any(
            name in opened and opened[name][0] in when and not set(when[opened[name][0]]) & set(opened[name][1])
            for name in when
        ):
            continue  # could never apply
        severity = draw(st.sampled_from(["caution", "contraindication"]))
        content["rule"].append(a_rule(id=f"rule{number}", when=when, severity=severity, cites=["F1"]))
    return load_content(json.dumps({"en": content}))["en"]


def some_of(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True)


def everything(*rule_books: RuleBook) -> Iterator[Chosen]:
    """Every combination of the answers that can be chosen in any of the books, also to follow-ups that are not open."""
    items: dict[str, list[Question | FollowUp]] = {}
    for item in (item for rules in rule_books for item in rules.asked()):
        items.setdefault(item.id, []).append(item)
    ways: list[list[frozenset[str]]] = []
    for versions in items.values():
        options = sorted({option.id for one in versions for option in one.options})
        most = 1 if all(one.kind is Kind.ONE for one in versions) else len(options)
        ways.append([frozenset(chosen) for size in range(most + 1) for chosen in combinations(options, size)])
    for combination in product(*ways):
        yield dict(zip(items, combination, strict=True))


def found(rules: RuleBook, chosen: Chosen) -> set[tuple[str, Severity]]:
    questions = {question.id for question in rules.questions}
    given = (
        Answer(id=asked, value=min(values) if asked in questions else tuple(values), asked="", shown="", language="en")
        for asked, values in chosen.items()
        if values
    )
    return keys(evaluate(rules, Answers(given=tuple(given))).findings)


def keys(findings: tuple[Finding, ...]) -> set[tuple[str, Severity]]:
    return {(finding.rule, finding.severity) for finding in findings}


def holds(condition: Condition, chosen: Chosen) -> bool:
    return all(
        not limit.none & chosen[asked] and all(one & (chosen[asked] or {NOTHING}) for one in limit.some)
        for asked, limit in condition.items()
    )


def agrees_with_every_combination(old: RuleBook, new: RuleBook) -> None:
    changes = outcomes_changed(old, new)
    for chosen in everything(old, new):
        was, now = found(old, chosen), found(new, chosen)
        here = [change for change in changes if holds(change.condition, chosen)]
        gone = {one for change in here for one in keys(change.gone)}
        come = {one for change in here for one in keys(change.come)}
        assert (gone, come) == (was - now, now - was), chosen
        for change in here:
            assert change.was is None or change.was <= max([severity for _, severity in was], default=Severity.NONE)
            assert change.now is None or change.now <= max([severity for _, severity in now], default=Severity.NONE)
    for change in changes:
        assert any(holds(change.condition, chosen) for chosen in everything(old, new)), change


def table_agrees_with(rules: RuleBook, combinations_: Iterator[Chosen]) -> None:
    table, asked = truth_table(rules), {item.id: item for item in rules.asked()}
    for chosen in combinations_:
        told = {one for condition, _, finding in table.joined if holds(condition, chosen) for one in keys((finding,))}
        for row in table.rows:
            item = asked[row.item.id]
            if not isinstance(item, FollowUp) or chosen[item.parent] & item.when:
                told |= keys(row.findings) if (chosen[item.id] or {NOTHING}) & set(row.values) else set()
        assert told == found(rules, chosen), chosen


every_book = partial(settings, deadline=None, derandomize=True)


@every_book(max_examples=60)
@given(generated_books(), generated_books())
def test_changed_outcomes_are_exactly_those_of_every_combination(old: RuleBook, new: RuleBook) -> None:
    agrees_with_every_combination(old, new)


@pytest.mark.audit
@every_book(max_examples=2000)
@given(generated_books(), generated_books())
def test_changed_outcomes_are_exactly_those_of_every_combination_of_many_books(old: RuleBook, new: RuleBook) -> None:
    agrees_with_every_combination(old, new)


@every_book(max_examples=60)
@given(generated_books())
def test_the_table_says_exactly_what_every_combination_gives(rules: RuleBook) -> None:
    table_agrees_with(rules, everything(rules))
