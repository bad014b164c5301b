"""The direction of typed text in print: WeasyPrint supports neither `dir="auto"` nor isolates."""

import re
from collections.abc import Iterator
from unicodedata import bidirectional
from xml.etree.ElementTree import Element

ISOLATE = "\u2068"  # Unicode's marks: text between them has the direction of its first letter
END = "\u2069"
_ISOLATED = re.compile(f"{ISOLATE}([^\u2066-\u2069<>]*){END}")
_RIGHT_TO_LEFT = ("R", "AL")
# invisible characters that act as a letter of that direction
_MARKS = {"L": "\u200e", "R": "\u200f", "AL": "\u061c"}
_NUMBERS = ("EN", "AN", "ET")


def isolated(text: str) -> str:
    """Return typed text for use in a sentence of ours, with marks that keep their order apart."""
    return f"{ISOLATE}{text}{END}"


def has_right_to_left(text: str) -> bool:
    """Return whether any letter is written from right to left."""
    return not text.isascii() and any(bidirectional(letter) in _RIGHT_TO_LEFT for letter in text)


def with_elements(html: str) -> str:
    """Replace each pair of marks in HTML by an element: a line break would separate the pair."""
    return _ISOLATED.sub(r"<bdi>\1</bdi>", html)


def resolve(page: Element) -> None:
    """Set `dir` on each element with the direction of its first letter; make lines independent."""
    for element in page.iter():
        if _is_automatic(element):
            kinds = (bidirectional(letter) for text in _texts(element) for letter in text)
            first = next((kind for kind in kinds if kind in _MARKS), None)
            if first is not None:
                element.set("dir", "ltr" if first == "L" else "rtl")
        element.text = independent(element.text or "")
        element.tail = independent(element.tail or "")


def independent(text: str) -> str:
    """Add marks to text so that each line keeps its order: WeasyPrint orders each line on its own.

    A character without a direction takes that of the letters around it; at each space, marks act as
    these letters.
    """
    if not has_right_to_left(text):
        return text
    kinds = [bidirectional(letter) for letter in text]
    before = _nearest(kinds)
    after = _nearest(kinds[::-1])[::-1]
    marked = list(text)
    for index, kind in enumerate(kinds):
        mark = _MARKS.get(before[index], "")
        previous = kinds[index - 1 : index]
        following = kinds[index + 1 : index + 2]
        is_same = bool(after[index]) and (before[index] == "L") == (after[index] == "L")
        if kind == "WS" and mark and is_same:
            left = "" if previous[0] in _MARKS else mark
            right = "" if following[0] in _MARKS else mark
            marked[index] = f"{left}{text[index]}{right}"
        elif kind in _NUMBERS and previous == ["WS"]:
            marked[index] = mark + text[index]
    return "".join(marked)


def _nearest(kinds: list[str]) -> list[str]:
    """Return for each index the direction of the last letter before it in its paragraph, or ""."""
    direction = ""
    nearest = []
    for kind in kinds:
        nearest.append(direction)
        if kind in _MARKS:
            direction = kind
        elif kind == "B":
            direction = ""
    return nearest


def _is_automatic(element: Element) -> bool:
    return element.get("dir", "auto" if element.tag == "bdi" else "") == "auto"


def _texts(element: Element) -> Iterator[str]:
    """Yield the texts of an element, except those of children with their own direction."""
    yield element.text or ""
    for child in element:
        if child.tag != "bdi" and "dir" not in child.attrib:
            yield from _texts(child)
        yield child.tail or ""
