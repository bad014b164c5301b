"""Which answers lead to which findings, as conditions: exact, without listing the combinations of answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from screening.domain.evaluate import LEFT_OPEN
from screening.domain.rules import Finding, FollowUp, Kind, Open, Question, RuleBook

NOTHING = ""  # among the values of a question of which one is chosen: no answer


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one answer: something of each set in `some` is chosen, and nothing of `none`."""

    some: frozenset[frozenset[str]] = frozenset()
    none: frozenset[str] = frozenset()

    def within(self, other: Limit) -> bool:
        """Whether each answer within this limit is within the other one."""
        return other.none <= self.none and all(
            any(one - self.none <= wide for one in self.some) for wide in other.some
        )


# Limits by the id of the question or follow-up; all must hold, and other answers do not matter.
Condition = Mapping[str, Limit]
# Each finding of a book with the condition under which it applies, by its rule and the way in which
# it is open.
Found = dict[tuple[str, str], tuple[Finding, Condition]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A limit in words: one of the labels in each group of `some`, and none of those in `none`; "" is no answer."""

    topic: str
    some: tuple[tuple[str, ...], ...]
    none: tuple[str, ...]


def some(*chosen: Iterable[str]) -> Limit:
    """Something of each of these is chosen."""
    return Limit(some=frozenset(map(frozenset, chosen)))


def opened(item: Question | FollowUp) -> Condition:
    """The condition under which it is asked."""
    return {item.parent: some(item.when)} if isinstance(item, FollowUp) else {}


def covers(wide: Condition, narrow: Condition) -> bool:
    """Whether `wide` holds wherever `narrow` holds."""
    return all(narrow.get(asked, Limit()).within(limit) for asked, limit in wide.items())


class Conditions:
    """The conditions of all findings, where any answer can be given that any of the books knows."""

    def __init__(self, *books: RuleBook) -> None:
        self.versions: dict[str, list[Question | FollowUp]] = {}
        for item in (item for book in books for item in book.asked()):
            self.versions.setdefault(item.id, []).append(item)
        self.labels = {
            asked: {
                **{option.id: option.label for one in versions for option in one.options},
                NOTHING: "",
            }
            for asked, versions in self.versions.items()
        }

    def chooses_one(self, asked: str) -> bool:
        """Whether at most one option can be chosen."""
        return all(one.kind is Kind.ONE for one in self.versions[asked])

    def meet(self, *conditions: Condition) -> Condition | None:
        """The condition that holds where all of these hold, or None where no answers are left."""
        met: dict[str, Limit] = {}
        for asked, limit in (each for condition in conditions for each in condition.items()):
            before = met.get(asked, Limit())
            values = frozenset(self.labels[asked])
            chosen = frozenset(one & values for one in before.some | limit.some)
            none = (before.none | limit.none) & values
            if self.chooses_one(asked):
                chosen = frozenset([values.intersection(*chosen) - none])
                none = frozenset()
            if any(one <= none for one in chosen):
                return None
            met[asked] = Limit(
                frozenset(one for one in chosen if not any(other < one for other in chosen)), none
            )
        return met

    def without(self, one: Condition, other: Condition) -> list[Condition]:
        """The widest conditions that together hold wherever `one` holds and `other` does not."""
        pieces: list[Condition] = []
        for asked, limit in other.items():
            outside = [
                *(Limit(none=chosen) for chosen in limit.some),
                *([some(limit.none)] if limit.none else []),
            ]
            for piece in (self.meet(one, {asked: beyond}) for beyond in outside):
                if piece is not None and not any(covers(each, piece) for each in pieces):
                    pieces = [each for each in pieces if not covers(piece, each)] + [piece]
        return pieces

    def of(self, book: RuleBook) -> Found:
        """All findings of a book."""
        items = {item.id: item for item in book.asked()}
        found: dict[tuple[str, str], tuple[Finding, Condition | None]] = {}
        for (asked, how), finding in book.open_findings.items():
            known = items[asked].option_ids
            if self.chooses_one(asked):
                # or in any other way
                ways = {Open.MISSING: Limit(none=known.difference(LEFT_OPEN))}
            else:
                ways = {
                    Open.UNSURE: some(LEFT_OPEN),
                    Open.MISSING: Limit(none=known.union(LEFT_OPEN)),
                }
            if how in ways:
                found[finding.rule, how] = (
                    finding,
                    self.meet(opened(items[asked]), {asked: ways[how]}),
                )
        for rule in book.rules:
            parts = [
                part
                for asked, accepted in rule.when
                for part in (opened(items[asked]), {asked: some(accepted)})
            ]
            found[rule.finding.rule, ""] = rule.finding, self.meet(*parts)
        return {
            key: (finding, holds) for key, (finding, holds) in found.items() if holds is not None
        }

    def said(self, condition: Condition) -> tuple[Said, ...]:
        """The condition in the words of the newest book that has them, in the order asked."""
        return tuple(
            self._said(asked, condition[asked]) for asked in self.versions if asked in condition
        )

    def _said(self, asked: str, limit: Limit) -> Said:
        labels = self.labels[asked]
        if limit.none >= labels.keys() - {NOTHING}:
            limit = some([NOTHING])
        chosen, none = (
            tuple(
                tuple(label for value, label in labels.items() if value in values)
                for values in groups
            )
            for groups in (
                [one - limit.none for one in sorted(limit.some, key=sorted)],
                [limit.none],
            )
        )
        return Said(topic=self.versions[asked][-1].topic, some=chosen, none=none[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """What answers that fulfil the condition lead to by themselves."""

    condition: Condition
    said: tuple[Said, ...]
    findings: tuple[Finding, ...]


def truth_table(book: RuleBook) -> tuple[tuple[Lead, ...], tuple[Lead, ...]]:
    """What each answer to each question that rules read leads to; and apart, what several answers together lead to."""
    conditions = Conditions(book)
    rows = []
    found = conditions.of(book)
    joined = dict(found)
    for item in book.asked():
        if (item.id, Open.MISSING) not in book.open_findings:
            continue
        leads: dict[tuple[Finding, ...], list[str]] = {}
        for value in conditions.labels[item.id]:
            nothing = value == NOTHING and not conditions.chooses_one(item.id)
            answer = {
                **opened(item),
                item.id: Limit(none=item.option_ids) if nothing else some([value]),
            }
            own = [
                key
                for key, (_, holds) in found.items()
                if item.id in holds and covers(holds, answer)
            ]
            leads.setdefault(tuple(found[key][0] for key in own), []).append(value)
            joined = {key: one for key, one in joined.items() if key not in own}
        for findings, values in leads.items():
            condition = {**opened(item), item.id: some(values)}
            rows.append(
                Lead(condition=condition, said=conditions.said(condition), findings=findings)
            )
    apart = (
        Lead(condition=holds, said=conditions.said(holds), findings=(one,))
        for one, holds in joined.values()
    )
    return tuple(rows), tuple(apart)
