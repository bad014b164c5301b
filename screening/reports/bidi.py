"""The direction of typed text in print, as in a browser.

WeasyPrint supports neither `dir="auto"` nor the isolates of Unicode.
"""

import re
from collections.abc import Iterator
from unicodedata import bidirectional
from xml.etree.ElementTree import Element

# Unicode's isolates: text between them has the direction of its first character that has one.
ISOLATE = "\u2068"
END = "\u2069"
_ISOLATED = re.compile(f"{ISOLATE}([^\u2066-\u2069<>]*){END}")
_RIGHT_TO_LEFT = ("R", "AL")
# invisible characters that act as one of that bidirectional class
_MARKS = {"L": "\u200e", "R": "\u200f", "AL": "\u061c"}
_NUMBERS = ("EN", "AN", "ET")


def isolated(text: str) -> str:
    """Return typed text with isolates, so that a sentence around it keeps its order."""
    return f"{ISOLATE}{text}{END}"


def has_right_to_left(text: str) -> bool:
    """Return whether any character is written from right to left."""
    if text.isascii():
        return False
    return any(bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def with_elements(html: str) -> str:
    """Return the HTML with an element in place of each pair of isolates.

    The end of a printed line would separate the two.
    """
    return _ISOLATED.sub(r"<bdi>\1</bdi>", html)


def resolve(page: Element) -> None:
    """Set `dir` on each element with automatic direction, and make all text `independent`."""
    for element in page.iter():
        if _is_automatic(element):
            classes = map(bidirectional, "".join(_texts(element)))
            first = next((each for each in classes if each in _MARKS), None)
            if first is not None:
                element.set("dir", "ltr" if first == "L" else "rtl")
        element.text = independent(element.text or "")
        element.tail = independent(element.tail or "")


def independent(text: str) -> str:
    """Return the text with direction marks at its spaces, so that each line can be ordered alone.

    WeasyPrint orders each line without its neighbours. A character without a direction takes that
    of the characters around it; where a line ends, the marks stand in for those.
    """
    if not has_right_to_left(text):
        return text
    classes = [bidirectional(character) for character in text]
    before = _strong_before(classes)
    after = _strong_before(classes[::-1])[::-1]
    marked = list(text)
    for index, bidi_class in enumerate(classes):
        mark = _MARKS.get(before[index], "")
        previous = classes[index - 1 : index]
        following = classes[index + 1 : index + 2]
        is_between = mark and after[index] and (before[index] == "L") == (after[index] == "L")
        if bidi_class == "WS" and is_between:
            start = "" if previous[0] in _MARKS else mark
            end = "" if following[0] in _MARKS else mark
            marked[index] = f"{start}{text[index]}{end}"
        elif bidi_class in _NUMBERS and previous == ["WS"]:
            marked[index] = mark + text[index]
    return "".join(marked)


def _strong_before(classes: list[str]) -> list[str]:
    """Return for each index the last class with a direction before it in its paragraph, or ""."""
    strong = ""
    result = []
    for bidi_class in classes:
        result.append(strong)
        if bidi_class in _MARKS:
            strong = bidi_class
        elif bidi_class == "B":  # the end of a paragraph
            strong = ""
    return result


def _is_automatic(element: Element) -> bool:
    return element.get("dir", "auto" if element.tag == "bdi" else "") == "auto"


def _texts(element: Element) -> Iterator[str]:
    """Yield the texts of an element, without those of children that have their own direction."""
    yield element.text or ""
    for child in element:
        if child.tag != "bdi" and "dir" not in child.attrib:
            yield from _texts(child)
        yield child.tail or ""
