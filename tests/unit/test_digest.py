"""An edition is identified by a digest that follows its content, and read as it was kept."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from screening.rulebooks.load import load, load_content
from tests.unit.small_book import ENGLISH, book, books

LANGUAGES = pytest.mark.parametrize("language", ["en", "es"])


def test_the_same_content_has_the_same_digest_and_gives_equal_books() -> None:
    assert load(ENGLISH) == load(ENGLISH)
    digests = {
        rules.edition.digest
        for loaded in (load(ENGLISH), load(ENGLISH))
        for rules in loaded.values()
    }
    assert digests == {hashlib.sha256(book().edition.content.encode()).hexdigest()}


@LANGUAGES
def test_an_edition_kept_as_content_gives_equal_books(language: str) -> None:
    kept = load_content(book(language).edition.content)
    assert list(kept) == list(books())
    assert kept == books()
    again = load_content(kept[language].edition.content)
    assert again[language].edition == book(language).edition


WORDING = {
    "ask", "hint", "unanswered", "why", "topic", "clarify", "label", "title", "reason", "confirm",
    "text", "says", "note", "name", "brand", "agreement", "publisher",
    "yes", "no", "unsure", "private", "alone", "missing",
}  # fmt: skip
LISTS_OF_WORDS = {"points", "references"}


def wordings(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every wording in parsed TOML."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        place = (*path, key)
        if isinstance(value, dict | list):
            yield from wordings(value, place)
        elif key in WORDING or (path and path[-1] in LISTS_OF_WORDS):
            yield place


def reworded(content: dict[str, Any], path: tuple[Any, ...]) -> str:
    """The content as kept with the wording at `path` changed in one character."""
    changed = inner = copy.deepcopy(content)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] += "!"
    return json.dumps(changed)


@LANGUAGES
def test_changing_any_wording_changes_the_digest(language: str) -> None:
    whole = json.loads(book().edition.content)
    # A translation of another English text is refused, so English is reworded alone.
    content = whole if language == "es" else {"en": whole["en"]}
    paths = [path for path in wordings(content) if path[0] == language and path[1] != "translation"]
    assert len(paths) > 75
    unchanged = next(iter(load_content(json.dumps(content)).values())).edition.digest
    digests = {load_content(reworded(content, path))[language].edition.digest for path in paths}
    assert len(digests) == len(paths)
    assert unchanged not in digests
