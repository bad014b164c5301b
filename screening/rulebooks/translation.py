"""Translations: texts by their place in the English book, each with a hash of its English text."""

import hashlib
from collections.abc import Iterator
from typing import Any

from screening.rulebooks.reading import Content, Note, name_of

# Keys of values that only programs read, or that are quoted from the sources.
UNTRANSLATED = {"edition", "source", "id", "section", "says", "brand", "atc", "rxnorm", "loinc"} | {
    "choices", "when", "kind", "severity", "cites", "status", "references",
}  # fmt: skip


def wording_hash(text: str) -> str:
    """Return the first 8 hex digits of the SHA-256 of an English text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def translated(english: Content, translation: Content, note: Note) -> Content:
    """Return the English book in the words of the translation.

    Texts that are missing, outdated or left over are noted.
    """
    entries = dict(_entries(translation, "", note))

    def worded(value: Any, place: str) -> Any:
        if isinstance(value, dict):
            prefix = f"{place}." if place else ""
            return {
                key: inner if key in UNTRANSLATED else worded(inner, f"{prefix}{key}")
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [
                worded(item, f"{place}.{name_of(item, number)}")
                for number, item in enumerate(value, start=1)
            ]
        if not isinstance(value, str):
            return value
        english_hash = wording_hash(value)
        entry = entries.pop(place, {})
        text = entry.get("text")
        if not isinstance(text, str) or not text.strip():
            problem = "is empty" if entry else "is not translated"
            note(place, problem, f'write {{ of = "{english_hash}", text = "..." }}')
        elif entry.get("of") != english_hash:
            problem = f"translates another English text than {value!r}"
            note(place, problem, f'correct it: of = "{english_hash}"')
        return text

    book: Content = worded(english, "")
    for place in sorted(entries):
        note(place, "is not in the English rule book", "remove it")
    return book


def _entries(content: Content, path: str, note: Note) -> Iterator[tuple[str, Content]]:
    for key, value in content.items():
        place = f"{path}{key}"
        if not isinstance(value, dict):
            note(place, "is not a translation", 'write { of = "...", text = "..." }')
        elif any(isinstance(value.get(name), str) for name in ("of", "text")):
            yield place, value
            for extra in value.keys() - {"of", "text"}:
                note(f"{place}.{extra}", "is not known here", "remove it")
        else:
            yield from _entries(value, f"{place}.", note)
