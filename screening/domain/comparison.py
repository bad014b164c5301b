"""The differences between two editions of a rule book: texts, questions, and outcomes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from screening.domain.conditions import (
    NOTHING,
    Condition,
    Conditions,
    FindingConditions,
    Limit,
    LimitInWords,
    covers,
)
from screening.domain.rules import BASE_LANGUAGE, Finding, RuleBook, Severity

_READING_ORDER = ("edition", "medicine", "source", "fact", "choice", "open", "question", "rule")
# Thai, Lao, Chinese and Japanese have no spaces between words: each letter with its marks counts as
# a word.
_LETTERS = "\u0e00-\u0eff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ece\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_WORD = re.compile(f"\\s+|[.,;:!?]+|[{_LETTERS}][{_MARKS}]*|[^\\s.,;:!?{_LETTERS}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChange:
    """One text of one language that differs, at a place such as `question.infection.ask`.

    `old` or `new` is None where that edition does not have the text. `pieces` are pairs of an
    origin and words: the words are in both editions (`same`), or only in the `old` or `new` one.
    """

    place: str
    language: str
    old: str | None
    new: str | None
    pieces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChange:
    """A question, follow-up or `option` that is `added` in the new edition, or else removed."""

    topic: str
    option: str
    added: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChange:
    """The findings whose severity differs between two editions wherever `condition` holds.

    `limits` are the condition in words. `findings` are triples of a finding, its old and its new
    severity; None stands for no finding.
    `was` and `now` are the outcomes of all findings that follow from these answers alone; None
    where that edition does not ask for them.
    """

    condition: Condition
    limits: tuple[LimitInWords, ...]
    was: Severity | None
    now: Severity | None
    findings: tuple[tuple[Finding, Severity | None, Severity | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences between two editions. `texts` is never empty if their contents differ."""

    old: RuleBook
    new: RuleBook
    outcomes: tuple[OutcomeChange, ...]
    asked: tuple[AskedChange, ...]
    texts: tuple[TextChange, ...]


def compare(
    old: Mapping[str, RuleBook], new: Mapping[str, RuleBook], language: str = BASE_LANGUAGE
) -> Comparison:
    """Compare two editions, each in all its languages.

    Questions and findings are named in `language`, or in English where an edition lacks it.
    """
    before = old.get(language, old[BASE_LANGUAGE])
    after = new.get(language, new[BASE_LANGUAGE])
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
    """Return every value that differs, in reading order.

    Values are also numbers, lists, and the order of questions and rules. A language that only one
    edition has is one change, at the place `translation`.
    """
    old_content = json.loads(old[BASE_LANGUAGE].edition.content)
    new_content = json.loads(new[BASE_LANGUAGE].edition.content)
    changes = []
    for language in dict.fromkeys([*old_content, *new_content]):
        if language in old_content and language in new_content:
            before = dict(_texts(old_content[language]))
            after = dict(_texts(new_content[language]))
        else:
            before = {"translation": language} if language in old_content else {}
            after = {"translation": language} if language in new_content else {}
        for place in sorted({**before, **after}, key=_section):
            was = before.get(place)
            now = after.get(place)
            if was != now:
                pieces = tuple(word_by_word(was or "", now or ""))
                changes.append(
                    TextChange(place=place, language=language, old=was, new=now, pieces=pieces)
                )
    return tuple(changes)


def _section(place: str) -> int:
    section = place.partition(".")[0]
    return [*_READING_ORDER, section].index(section)


def _texts(content: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the value of each text or number; for an array also its order."""
    if isinstance(content, list) and all(isinstance(table, dict) for table in content):
        named = {table.get("id", str(index)): table for index, table in enumerate(content, start=1)}
        yield place, "; ".join(named)
        content = {
            name: {key: inner for key, inner in table.items() if key != "id"}
            for name, table in named.items()
        }
    elif isinstance(content, dict) and content.keys() == {
        str(number + 1) for number in range(len(content))
    }:
        items = [content[key] for key in sorted(content, key=int)]
        if all("of" in item for item in items):  # a translated list
            content = [item["text"] for item in items]
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
    """Yield the words of both texts in the form of `TextChange.pieces`."""
    before = _WORD.findall(old)
    after = _WORD.findall(new)
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield "same", "".join(before[a:b])
            continue
        if a < b:
            yield "old", "".join(before[a:b])
        if c < d:
            yield "new", "".join(after[c:d])


def asked_changed(old: RuleBook, new: RuleBook) -> tuple[AskedChange, ...]:
    """Return the questions, follow-ups and options that only one of the books has.

    The options of a question that is added or removed are left out.
    """
    was = dict(_answerable(old))
    now = dict(_answerable(new))
    changed = {key: names for key, names in {**was, **now}.items() if (key in was) != (key in now)}
    return tuple(
        AskedChange(topic=topic, option=option, added=(item_id, value) in now)
        for (item_id, value), (topic, option) in changed.items()
        if not value or (item_id, NOTHING) not in changed
    )


def _answerable(book: RuleBook) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Yield the ids of each item and option, then their names.

    NOTHING in place of an option, and "" in place of its name, stand for the item itself.
    """
    for item in book.asked():
        yield (item.id, NOTHING), (item.topic, "")
        yield from (((item.id, option.id), (item.topic, option.label)) for option in item.options)


def outcomes_changed(old: RuleBook, new: RuleBook) -> tuple[OutcomeChange, ...]:
    """Return the conditions under which findings or their severities differ, and no others.

    Changes of an outcome come first, the most severe before the others.
    """
    conditions = Conditions(old, new)
    before = conditions.of(old)
    after = conditions.of(new)
    old_items = dict(_answerable(old))
    new_items = dict(_answerable(new))
    findings = {finding.rule: finding for finding, _ in (*before.values(), *after.values())}
    changes: dict[
        frozenset[tuple[str, Limit]], tuple[dict[str, Severity], dict[str, Severity]]
    ] = {}
    for side, in_this, in_other in ((0, before, after), (1, after, before)):
        for key, (finding, condition) in in_this.items():
            pieces = [condition]
            if key in in_other:
                other, other_condition = in_other[key]
                pieces = conditions.without(condition, other_condition)
                both = conditions.meet(condition, other_condition)
                if both is not None and other.severity is not finding.severity:
                    pieces.append(both)
            for piece in pieces:
                severities = changes.setdefault(frozenset(piece.items()), ({}, {}))
                severities[side][finding.rule] = finding.severity
    outcome_changes = []
    for limits, (was, now) in changes.items():
        condition = dict(limits)
        outcome_changes.append(
            OutcomeChange(
                condition=condition,
                limits=conditions.in_words(condition),
                was=_outcome(before, old_items, condition),
                now=_outcome(after, new_items, condition),
                findings=tuple(
                    (findings[rule], was.get(rule), now.get(rule)) for rule in {**was, **now}
                ),
            )
        )
    return tuple(sorted(outcome_changes, key=_by_importance))


def _by_importance(change: OutcomeChange) -> tuple[bool, int]:
    return change.was is change.now, -max(change.was or 0, change.now or 0)


def _outcome(
    findings: FindingConditions,
    answerable: Mapping[tuple[str, str], object],
    condition: Condition,
) -> Severity | None:
    """Return the outcome of the findings that apply wherever the condition holds.

    None where no answers that the edition offers fulfil the condition.
    """
    for item_id, limit in condition.items():
        offered = {value for asked_id, value in answerable if asked_id == item_id} - limit.none
        if (item_id, NOTHING) not in answerable or any(map(offered.isdisjoint, limit.some)):
            return None
    applying = (
        finding.severity for finding, wider in findings.values() if covers(wider, condition)
    )
    return max(applying, default=Severity.NONE)
