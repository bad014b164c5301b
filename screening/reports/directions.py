"""Own words keep their own direction in print, as in a browser: WeasyPrint knows no `dir="auto"` and no isolates."""

import re
from collections.abc import Iterator
from unicodedata import bidirectional
from xml.etree.ElementTree import Element

ISOLATE, END = "\u2068", "\u2069"  # Unicode's marks: what is between them has the direction of its first letter
_ISOLATED = re.compile(f"{ISOLATE}([^\u2066-\u2069<>]*){END}")
_RIGHT_TO_LEFT = ("R", "AL")


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
    """Write down the direction of each element that has that of its first letter."""
    for element in page.iter():
        if _is_found(element):
            strong = (bidirectional(letter) for text in _texts(element) for letter in text)
            first = next((one for one in strong if one in ("L", *_RIGHT_TO_LEFT)), None)
            if first is not None:
                element.set("dir", "ltr" if first == "L" else "rtl")


def _is_found(element: Element) -> bool:
    return element.get("dir", "auto" if element.tag == "bdi" else "") == "auto"


def _texts(element: Element) -> Iterator[str]:
    """The texts of an element, without those that have a direction of their own."""
    yield element.text or ""
    for child in element:
        if child.tag != "bdi" and "dir" not in child.attrib:
            yield from _texts(child)
        yield child.tail or ""
