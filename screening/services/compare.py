"""Assess stored screenings again under another edition of the rule book."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from screening.domain.assessment import Assessment
from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook, Severity
from screening.storage import screenings
from screening.storage.audit import Actor
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow

DAYS = 90  # for which screenings are assessed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect of another edition on the screenings of some days.

    `total` counts the screenings sent in that time, `unreadable` those that cannot be opened.
    `differing` has the references of those whose findings differ, by the outcomes under the old and
    the new book.
    """

    total: int
    unreadable: int
    differing: Mapping[tuple[Severity, Severity], Sequence[str]]

    @property
    def count(self) -> int:
        """Return how many screenings differ."""
        return sum(map(len, self.differing.values()))


def effect(
    actor: Actor,
    old: RuleBook,
    new: RuleBook,
    *,
    since: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Effect:
    """Assess all screenings sent since then, with their clarifications, under both books.

    A question that a screening was not asked counts as not answered. `progress` takes the numbers
    of screenings done and in all.
    """
    sent = ScreeningRow.submitted_at >= since
    total = screenings.count(actor.session, sent)
    done = 0
    unreadable = 0
    differing: dict[tuple[Severity, Severity], list[str]] = {}
    for done, row in enumerate(screenings.all_rows(actor.session, sent), start=1):
        progress(done, total)
        try:
            answers = screenings.read(actor.session, actor.keys, row).established
        except KeyFault:
            unreadable += 1
            continue
        was = evaluate(old, answers)
        now = evaluate(new, answers)
        if _severities(was) != _severities(now):
            differing.setdefault((was.outcome, now.outcome), []).append(row.reference)
    return Effect(
        total=done, unreadable=unreadable, differing=dict(sorted(differing.items(), reverse=True))
    )


def _severities(assessment: Assessment) -> set[tuple[str, Severity]]:
    return {(finding.rule, finding.severity) for finding in assessment.findings}


def seen(actor: Actor, shown: Effect) -> None:
    """Note in the audit log that a person sees which screenings differ."""
    actor.note_at_once("compared", detail=f"{shown.count} screenings")
