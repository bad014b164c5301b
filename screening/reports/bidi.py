"""Own words keep their own direction in print, as in a browser: WeasyPrint knows no `dir="auto"` and no isolates."""

import re
from collections.abc import Iterator
from unicodedata import bidirectional
from xml.etree.ElementTree import Element

ISOLATE = "\u2068"  # Unicode's marks: what is between them has the direction of its first letter
END = "\u2069"
_ISOLATED = re.compile(f"{ISOLATE}([^\u2066-\u2069<>]*){END}")
_RIGHT_TO_LEFT = ("R", "AL")
# they act as a letter of that kind, and are not drawn
_MARKS = {"L": "\u200e", "R": "\u200f", "AL": "\u061c"}
_NUMBERS = ("EN", "AN", "ET")


def isolated(text: str) -> str:
    """Own words as part of a sentence of ours, which must not be mixed with them."""
    return f"{ISOLATE}{text}{END}"


def has_right_to_left(text: str) -> bool:
    """Whether any letter is written from right to left."""
    return not text.isascii() and any(bidirectional(letter) in _RIGHT_TO_LEFT for letter in text)


def with_elements(html: str) -> str:
    """HTML with an element in place of each pair of marks, which would be torn apart at the end of a line."""
    return _ISOLATED.sub(r"<bdi>\1</bdi>", html)


def resolve(page: Element) -> None:
    """Write down the direction of each element that has that of its first letter, and make its lines independent."""
    for element in page.iter():
        if _is_found(element):
            kinds = (bidirectional(letter) for text in _texts(element) for letter in text)
            first = next((kind for kind in kinds if kind in _MARKS), None)
            if first is not None:
                element.set("dir", "ltr" if first == "L" else "rtl")
        element.text = independent(element.text or "")
        element.tail = independent(element.tail or "")


def independent(text: str) -> str:
    """Text whose lines come out alike one by one: WeasyPrint puts each in order without the one before and after.

    What has no direction of its own takes that of the letters around it, so marks stand in for them
    at each space.
    """
    if not has_right_to_left(text):
        return text
    kinds = [bidirectional(letter) for letter in text]
    before = _nearest(kinds)
    after = _nearest(kinds[::-1])[::-1]
    marked = list(text)
    for place, kind in enumerate(kinds):
        mark = _MARKS.get(before[place], "")
        first = kinds[place - 1 : place]
        last = kinds[place + 1 : place + 2]
        if (
            kind == "WS"
            and mark
            and after[place]
            and (before[place] == "L") == (after[place] == "L")
        ):
            marked[place] = (
                f"{'' if first[0] in _MARKS else mark}{text[place]}{'' if last[0] in _MARKS else mark}"
            )
        elif kind in _NUMBERS and first == ["WS"]:
            marked[place] = mark + text[place]
    return "".join(marked)


def _nearest(kinds: list[str]) -> list[str]:
    """For each place, the kind of the last letter before it in its paragraph that has a direction; empty: none."""
    found = ""
    nearest = []
    for kind in kinds:
        nearest.append(found)
        found = kind if kind in _MARKS else "" if kind == "B" else found
    return nearest


def _is_found(element: Element) -> bool:
    return element.get("dir", "auto" if element.tag == "bdi" else "") == "auto"


def _texts(element: Element) -> Iterator[str]:
    """The texts of an element, without those that have a direction of their own."""
    yield element.text or ""
    for child in element:
        if child.tag != "bdi" and "dir" not in child.attrib:
            yield from _texts(child)
        yield child.tail or ""
