"""Translations: texts by their place in the English book, each with the mark of the English text that it translates."""

import hashlib
from collections.abc import Iterator
from typing import Any

from screening.rulebooks.reading import Content, Note, name_of

# Keys of what only machines read, or what is quoted from the sources.
UNTRANSLATED = {"edition", "source", "id", "section", "says", "brand", "atc", "rxnorm", "loinc"} | {
    "choices", "when", "kind", "severity", "cites", "status", "references",
}  # fmt: skip


def wording_hash(text: str) -> str:
    """Return the mark of an English text: 8 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def translated(english: Content, translation: Content, note: Note) -> Content:
    """Return the English book with the words of the translation; what is missing, stale or left over is noted."""
    entries = dict(_entries(translation, "", note))

    def worded(value: Any, place: str) -> Any:
        if isinstance(value, dict):
            return {
                key: one if key in UNTRANSLATED else worded(one, f"{place}.{key}" if place else key)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [
                worded(one, f"{place}.{name_of(one, number)}")
                for number, one in enumerate(value, start=1)
            ]
        if not isinstance(value, str):
            return value
        mark = wording_hash(value)
        entry = entries.pop(place, {})
        text = entry.get("text")
        if not isinstance(text, str) or not text.strip():
            problem = "is empty" if entry else "is not translated"
            note(place, problem, f'write {{ of = "{mark}", text = "..." }}')
        elif entry.get("of") != mark:
            note(
                place,
                f"translates another English text than {value!r}",
                f'correct it: of = "{mark}"',
            )
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
