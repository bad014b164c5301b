"""The exact conditions under which findings apply, without listing all combinations of answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from screening.domain.evaluate import LEFT_OPEN
from screening.domain.rules import Finding, FollowUp, Kind, Open, Question, RuleBook

NOTHING = ""  # stands for no answer among the values of a question


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one answer: a value of each set in `some` is chosen, and no value of `none`."""

    some: frozenset[frozenset[str]] = frozenset()
    none: frozenset[str] = frozenset()

    def within(self, other: Limit) -> bool:
        """Return whether each answer within this limit is within the other one."""

        def is_reached(wide: frozenset[str]) -> bool:
            return any(narrow - self.none <= wide for narrow in self.some)

        return other.none <= self.none and all(map(is_reached, other.some))


# Limits by the id of the question or follow-up; all must hold, and other answers do not matter.
Condition = Mapping[str, Limit]
# Each finding of a book with its condition, by the finding's rule and its `Open`, or "".
FindingConditions = dict[tuple[str, str], tuple[Finding, Condition]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitInWords:
    """A limit in words: a label of each group in `some`, and none of `none`; "" is no answer."""

    topic: str
    some: tuple[tuple[str, ...], ...]
    none: tuple[str, ...]


def some(*chosen: Iterable[str]) -> Limit:
    """Return the limit that a value of each of these groups is chosen."""
    return Limit(some=frozenset(map(frozenset, chosen)))


def opened(item: Question | FollowUp) -> Condition:
    """Return the condition under which an item is asked."""
    return {item.parent: some(item.when)} if isinstance(item, FollowUp) else {}


def covers(wide: Condition, narrow: Condition) -> bool:
    """Return whether `wide` holds wherever `narrow` holds."""
    return all(narrow.get(item_id, Limit()).within(limit) for item_id, limit in wide.items())


class Conditions:
    """The conditions of findings, where each question has all options that any of the books has."""

    def __init__(self, *books: RuleBook) -> None:
        self.versions: dict[str, list[Question | FollowUp]] = {}
        self.labels: dict[str, dict[str, str]] = {}
        for item in (item for book in books for item in book.asked()):
            self.versions.setdefault(item.id, []).append(item)
            labels = self.labels.setdefault(item.id, {})
            labels.update((option.id, option.label) for option in item.options)
        for labels in self.labels.values():
            labels[NOTHING] = ""

    def chooses_one(self, item_id: str) -> bool:
        """Return whether at most one option can be chosen."""
        return all(item.kind is Kind.ONE for item in self.versions[item_id])

    def meet(self, *conditions: Condition) -> Condition | None:
        """Return the condition that all of these hold, or None where no answer fulfils it."""
        met: dict[str, Limit] = {}
        for item_id, limit in (pair for condition in conditions for pair in condition.items()):
            before = met.get(item_id, Limit())
            values = frozenset(self.labels[item_id])
            groups = frozenset(group & values for group in before.some | limit.some)
            none = (before.none | limit.none) & values
            if self.chooses_one(item_id):
                groups = frozenset([values.intersection(*groups) - none])
                none = frozenset()
            if any(group <= none for group in groups):
                return None
            wider = {group for group in groups for other in groups if other < group}
            met[item_id] = Limit(groups - wider, none)
        return met

    def without(self, condition: Condition, excluded: Condition) -> list[Condition]:
        """Return the widest conditions that hold where `condition` does and `excluded` does not."""
        pieces: list[Condition] = []
        for item_id, limit in excluded.items():
            opposites = [Limit(none=group) for group in limit.some]
            if limit.none:
                opposites.append(some(limit.none))
            for opposite in opposites:
                piece = self.meet(condition, {item_id: opposite})
                if piece is not None and not any(covers(other, piece) for other in pieces):
                    pieces = [other for other in pieces if not covers(piece, other)] + [piece]
        return pieces

    def of(self, book: RuleBook) -> FindingConditions:
        """Return all findings of a book with their conditions."""
        items = {item.id: item for item in book.asked()}
        conditions: dict[tuple[str, str], tuple[Finding, Condition | None]] = {}
        for (item_id, how), finding in book.open_findings.items():
            option_ids = items[item_id].option_ids
            if self.chooses_one(item_id):  # one condition for all reasons why it is open
                limits = {Open.MISSING: Limit(none=option_ids.difference(LEFT_OPEN))}
            else:
                limits = {
                    Open.UNSURE: some(LEFT_OPEN),
                    Open.MISSING: Limit(none=option_ids.union(LEFT_OPEN)),
                }
            if how in limits:
                condition = self.meet(opened(items[item_id]), {item_id: limits[how]})
                conditions[finding.rule, how] = finding, condition
        for rule in book.rules:
            parts: list[Condition] = []
            for item_id, accepted in rule.when:
                parts += opened(items[item_id]), {item_id: some(accepted)}
            conditions[rule.finding.rule, ""] = rule.finding, self.meet(*parts)
        return {
            key: (finding, condition)
            for key, (finding, condition) in conditions.items()
            if condition is not None
        }

    def lead(self, condition: Condition, findings: tuple[Finding, ...]) -> Lead:
        """Return the findings together with their condition, also in words."""
        return Lead(condition=condition, limits=self.in_words(condition), findings=findings)

    def in_words(self, condition: Condition) -> tuple[LimitInWords, ...]:
        """Return the limits in the order asked, in the words of the newest book that has them."""
        return tuple(
            self._limit_in_words(item_id, condition[item_id])
            for item_id in self.versions
            if item_id in condition
        )

    def _limit_in_words(self, item_id: str, limit: Limit) -> LimitInWords:
        labels = self.labels[item_id]
        if limit.none >= labels.keys() - {NOTHING}:
            limit = some([NOTHING])

        def worded(values: frozenset[str]) -> tuple[str, ...]:
            return tuple(label for value, label in labels.items() if value in values)

        return LimitInWords(
            topic=self.versions[item_id][-1].topic,
            some=tuple(worded(group - limit.none) for group in sorted(limit.some, key=sorted)),
            none=worded(limit.none),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """The findings that follow from answers that fulfil the condition, without any others.

    `limits` are the condition in words.
    """

    condition: Condition
    limits: tuple[LimitInWords, ...]
    findings: tuple[Finding, ...]


def truth_table(book: RuleBook) -> tuple[tuple[Lead, ...], tuple[Lead, ...]]:
    """Return the findings of each answer, then those of several answers together.

    The first part has every answer to every question that rules read.
    """
    conditions = Conditions(book)
    rows = []
    all_findings = conditions.of(book)
    joined = dict(all_findings)
    for item in book.asked():
        if (item.id, Open.MISSING) not in book.open_findings:
            continue
        leads: dict[tuple[Finding, ...], list[str]] = {}
        for value in conditions.labels[item.id]:
            limit = some([value])
            if value == NOTHING and not conditions.chooses_one(item.id):
                limit = Limit(none=item.option_ids)
            answer = {**opened(item), item.id: limit}
            keys = [
                key
                for key, (_finding, condition) in all_findings.items()
                if item.id in condition and covers(condition, answer)
            ]
            leads.setdefault(tuple(all_findings[key][0] for key in keys), []).append(value)
            for key in keys:
                joined.pop(key, None)
        rows += [
            conditions.lead({**opened(item), item.id: some(values)}, findings)
            for findings, values in leads.items()
        ]
    return tuple(rows), tuple(
        conditions.lead(condition, (finding,)) for finding, condition in joined.values()
    )
