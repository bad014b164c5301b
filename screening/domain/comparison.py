"""What two editions of a rule book differ in: texts word by word, what is asked, and what answers lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from screening.domain.conditions import NOTHING, Condition, Conditions, Found, Limit, Said, covers
from screening.domain.rules import BASE_LANGUAGE, Finding, RuleBook, Severity

_READING_ORDER = ("edition", "medicine", "source", "fact", "choice", "open", "question", "rule")
# Thai, Lao, Chinese and Japanese have no spaces between words: each letter with its marks counts as
# one.
_LETTERS = "\u0e00-\u0eff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ece\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_WORD = re.compile(f"\\s+|[.,;:!?]+|[{_LETTERS}][{_MARKS}]*|[^\\s.,;:!?{_LETTERS}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChange:
    """One text of one language at a place such as `question.infection.ask`; None where an edition does not have it.

    `pieces` are its words with where they are: in both editions (`same`), in the `old` or in the
    `new` one alone.
    """

    place: str
    language: str
    old: str | None
    new: str | None
    pieces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChange:
    """A question or follow-up, or one `option` of it, that the new edition asks or (not `added`) no longer asks."""

    topic: str
    option: str
    added: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChange:
    """Wherever `condition` holds, these `findings` had the first severity and now have the second; None: no finding.

    `was` and `now` are the outcomes of all findings that these answers lead to by themselves; None
    where that edition does not ask so.
    """

    condition: Condition
    said: tuple[Said, ...]
    was: Severity | None
    now: Severity | None
    findings: tuple[tuple[Finding, Severity | None, Severity | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that two editions differ in. Where the contents differ, `texts` is never empty."""

    old: RuleBook
    new: RuleBook
    outcomes: tuple[OutcomeChange, ...]
    asked: tuple[AskedChange, ...]
    texts: tuple[TextChange, ...]


def compare(
    old: Mapping[str, RuleBook], new: Mapping[str, RuleBook], language: str = BASE_LANGUAGE
) -> Comparison:
    """Compare two editions, each in all its languages.

    Questions and findings are named in `language`, if it is there.
    """
    before, after = (books.get(language, books[BASE_LANGUAGE]) for books in (old, new))
    return Comparison(
        old=before,
        new=after,
        outcomes=outcomes_changed(before, after),
        asked=asked_changed(before, after),
        texts=texts_changed(old, new),
    )


def texts_changed(
    old: Mapping[str, RuleBook], new: Mapping[str, RuleBook]
) -> tuple[TextChange, ...]:
    """Every value that differs, also numbers, lists and the order of questions and rules, in the order of reading.

    A language that only one edition has is one change, at the place `translation`.
    """
    was, now = (json.loads(books[BASE_LANGUAGE].edition.content) for books in (old, new))
    found = []
    for language in dict.fromkeys([*was, *now]):
        if language in was and language in now:
            before = dict(_texts(was[language]))
            after = dict(_texts(now[language]))
        else:
            before, after = (
                {"translation": language} if language in one else {} for one in (was, now)
            )
        for place in sorted({**before, **after}, key=_section):
            one = before.get(place)
            other = after.get(place)
            if one != other:
                pieces = tuple(word_by_word(one or "", other or ""))
                found.append(
                    TextChange(place=place, language=language, old=one, new=other, pieces=pieces)
                )
    return tuple(found)


def _section(place: str) -> int:
    section = place.partition(".")[0]
    return [*_READING_ORDER, section].index(section)


def _texts(content: object, place: str = "") -> Iterator[tuple[str, str]]:
    """All values of a book or a translation by their places; for tables with ids also the order in which they stand."""
    if isinstance(content, list) and all(isinstance(one, dict) for one in content):
        named = {one.get("id", str(number)): one for number, one in enumerate(content, start=1)}
        yield place, "; ".join(named)
        content = {
            name: {key: inner for key, inner in one.items() if key != "id"}
            for name, one in named.items()
        }
    elif isinstance(content, dict) and content.keys() == {
        str(number + 1) for number in range(len(content))
    }:
        items = [content[key] for key in sorted(content, key=int)]
        # a translated list
        content = [one["text"] for one in items] if all("of" in one for one in items) else content
    if isinstance(content, list):
        yield place, "; ".join(map(str, content))
    elif not isinstance(content, dict):
        yield place, str(content)
    elif "of" in content:
        yield place, content["text"]
    else:
        for key, inner in content.items():
            yield from _texts(inner, f"{place}.{key}" if place else key)


def word_by_word(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The words of both texts, as `TextChange.pieces` has them."""
    before = _WORD.findall(old)
    after = _WORD.findall(new)
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            yield "same", "".join(before[a:b])
        else:
            yield from (
                (where, "".join(words))
                for where, words in (("old", before[a:b]), ("new", after[c:d]))
                if words
            )


def asked_changed(old: RuleBook, new: RuleBook) -> tuple[AskedChange, ...]:
    """The questions, follow-ups and options that only one of the books has; of a question without its options."""
    was = dict(_asked(old))
    now = dict(_asked(new))
    changed = {key: names for key, names in {**was, **now}.items() if (key in was) != (key in now)}
    return tuple(
        AskedChange(topic=topic, option=option, added=(asked, value) in now)
        for (asked, value), (topic, option) in changed.items()
        if not value or (asked, NOTHING) not in changed
    )


def _asked(book: RuleBook) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """What can be answered, by the ids of question and option, with their names; NOTHING for the question itself."""
    for item in book.asked():
        yield (item.id, NOTHING), (item.topic, "")
        yield from (((item.id, option.id), (item.topic, option.label)) for option in item.options)


def outcomes_changed(old: RuleBook, new: RuleBook) -> tuple[OutcomeChange, ...]:
    """The smallest conditions under which findings or their severities differ: nowhere else do they.

    Those that change an outcome stand first, the most severe first.
    """
    conditions = Conditions(old, new)
    before = conditions.of(old)
    after = conditions.of(new)
    findings = {finding.rule: finding for finding, _ in (*before.values(), *after.values())}
    changes: dict[
        frozenset[tuple[str, Limit]], tuple[dict[str, Severity], dict[str, Severity]]
    ] = {}
    for side, mine, others in ((0, before, after), (1, after, before)):
        for key, (finding, holds) in mine.items():
            other, other_holds = others.get(key, (None, {}))
            pieces = [holds] if other is None else conditions.without(holds, other_holds)
            if other is not None and other.severity is not finding.severity:
                both = conditions.meet(holds, other_holds)
                pieces += [] if both is None else [both]
            for piece in pieces:
                changes.setdefault(frozenset(piece.items()), ({}, {}))[side][finding.rule] = (
                    finding.severity
                )
    found = [
        OutcomeChange(
            condition=(condition := dict(limits)),
            said=conditions.said(condition),
            was=_outcome(before, dict(_asked(old)), condition),
            now=_outcome(after, dict(_asked(new)), condition),
            findings=tuple(
                (findings[rule], gone.get(rule), come.get(rule)) for rule in {**gone, **come}
            ),
        )
        for limits, (gone, come) in changes.items()
    ]
    return tuple(
        sorted(found, key=lambda one: (one.was is one.now, -max(one.was or 0, one.now or 0)))
    )


def _outcome(
    found: Found, asked: Mapping[tuple[str, str], object], condition: Condition
) -> Severity | None:
    """The outcome of the findings that apply wherever the condition holds; None where nobody can answer so."""
    for item, limit in condition.items():
        can_be = [any((item, value) in asked for value in one - limit.none) for one in limit.some]
        if (item, NOTHING) not in asked or not all(can_be):
            return None
    return max(
        (one.severity for one, holds in found.values() if covers(holds, condition)),
        default=Severity.NONE,
    )
