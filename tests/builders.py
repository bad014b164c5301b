"""Builders that tests share: a sound value, changed by what a test is about.

The rule book here is the shipped one. Tests of the engine take `tests/unit/small_book.py` instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any

from screening.domain.answers import Answers, Patient, read_answers
from screening.domain.rules import RuleBook
from screening.rulebooks.load import load, load_content


@cache
def books() -> Mapping[str, RuleBook]:
    """The shipped rule book in each language, loaded once."""
    return load()


def book(language: str = "en") -> RuleBook:
    """The shipped rule book in one language."""
    return books()[language]


def book_with(change: Callable[[dict[str, Any]], object]) -> RuleBook:
    """The shipped book, in English alone, after `change` has edited its parsed TOML."""
    return edited(book(), change)


def edited(rules: RuleBook, change: Callable[[dict[str, Any]], object]) -> RuleBook:
    """A rule book, in English alone, after `change` has edited its parsed TOML."""
    content = json.loads(rules.edition.content)["en"]
    change(content)
    return load_content(json.dumps({"en": content}))["en"]


def a_rule(**changes: Any) -> dict[str, Any]:
    """The parsed TOML of a rule; `when` must be given. Each book of the tests has the fact."""
    words = {"title": "Extra", "reason": "Because.", "confirm": "Confirm."}
    return {"id": "extra", "severity": "caution", **words, "cites": ["F1"], **changes}


def a_patient(**changes: Any) -> Patient:
    """A patient, with the particulars in `changes`."""
    return Patient(
        **{"name": "Amina Diallo", "birth_date": date(1988, 3, 12), "visit": "V-1042", **changes}
    )


def all_no(**changes: Any) -> dict[str, Any]:
    """Values that say no to everything the shipped rules read, except for `changes`.

    None leaves an answer out.
    """
    return no_to(book(), changes)


def no_to(rules: RuleBook, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values that say no to each question, except for `changes`.

    The follow-ups that "no" opens are answered "no" too.
    """
    values: dict[str, Any] = {}
    for question in rules.questions:
        values[question.id] = "no"
        if changes.get(question.id, "no") == "no":
            values |= dict.fromkeys(
                (item.id for item in question.follow_ups if item.required and "no" in item.when),
                "no",
            )
    return values | changes


def answers_of(rules: RuleBook, /, **values: Any) -> Answers:
    """Answers with these values, worded as the book words them."""
    return read_answers(rules, values)
