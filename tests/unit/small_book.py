"""The small rule book that tests of the engine stand on, and answers to it.

Tests of what the shipped rule book says stand in `shipped_book/` and load that one by
`tests.builders`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from screening.domain.rules import RuleBook
from screening.rulebooks.load import load
from tests.builders import edited, no_to

ENGLISH = Path(__file__).with_name("small_book.toml")
SPANISH = Path(__file__).with_name("small_book.es.toml")


@cache
def books() -> Mapping[str, RuleBook]:
    """Return the small rule book in each language, loaded once."""
    return load(ENGLISH)


def book(language: str = "en") -> RuleBook:
    """Return the small rule book in one language."""
    return books()[language]


def book_with(change: Callable[[dict[str, Any]], object]) -> RuleBook:
    """Return the small book, in English alone, after `change` has edited its parsed TOML."""
    return edited(book(), change)


def all_no(**changes: Any) -> dict[str, Any]:
    """Return values that say no to everything rules read, except for `changes`.

    None leaves an answer out.
    """
    return no_to(book(), changes)
