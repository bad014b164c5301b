"""Own words keep their own direction in print, as in a browser: WeasyPrint knows no `dir="auto"` and no isolates."""

import re
from collections.abc import Iterator
from unicodedata import bidirectional
from xml.etree.ElementTree import Element

ISOLATE, END = "\u2068", "\u2069"  # Unicode's marks: what is between them has the direction of its first letter
_ISOLATED = re.compile(f"{ISOLATE}([^\u2066-\u2069<>]*){END}")
_RIGHT_TO_LEFT = ("R", "AL")
_MARKS = {"L": "\u200e", "R": "\u200f", "AL": "\u061c"}  # they act as a letter of that kind, and are not drawn
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
        element.text, element.tail = independent(element.text or ""), independent(element.tail or "")


def independent(text: str) -> str:
    """Text whose lines come out alike one by one: WeasyPrint puts each in order without the one before and after.

    What has no direction of its own takes that of the letters around it, so marks stand in for them at each space.
    """
    if not has_right_to_left(text):
        return text
    kinds = [bidirectional(letter) for letter in text]
    after, nexts = "", []
    for kind in reversed(kinds):
        nexts.append(after)
        after = kind if kind in _MARKS else "" if kind == "B" else after
    before, marked = "", []
    for letter, kind, following in zip(text, kinds, reversed(nexts), strict=True):
        mark = _MARKS.get(before, "")
        if kind == "WS" and mark and (before == "L") == (following == "L") and following:
            marked += [mark, letter, mark]
        elif kind in _NUMBERS and marked and marked[-1].isspace():
            marked += [mark, letter]
        else:
            marked.append(letter)
        before = kind if kind in _MARKS else "" if kind == "B" else before
    return "".join(marked)


def _is_found(element: Element) -> bool:
    return element.get("dir", "auto" if element.tag == "bdi" else "") == "auto"


def _texts(element: Element) -> Iterator[str]:
    """The texts of an element, without those that have a direction of their own."""
    yield element.text or ""
    for child in element:
        if child.tag != "bdi" and "dir" not in child.attrib:
            yield from _texts(child)
        yield child.tail or ""
