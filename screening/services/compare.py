"""What another edition of the rule book would have made of the screenings that are stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from screening.domain.evaluate import evaluate
from screening.domain.rules import RuleBook, Severity
from screening.storage import screenings
from screening.storage.audit import Act
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow

DAYS = 90  # for which screenings are assessed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """References of the screenings of which findings differ, by the outcomes under the old and the new book.

    `total` screenings were sent in that time; `unreadable` of them cannot be opened.
    """

    total: int
    unreadable: int
    differing: Mapping[tuple[Severity, Severity], Sequence[str]]

    @property
    def count(self) -> int:
        """How many differ."""
        return sum(map(len, self.differing.values()))


def effect(
    act: Act,
    old: RuleBook,
    new: RuleBook,
    *,
    since: datetime,
    tell: Callable[[int, int], None] = lambda _, __: None,
) -> Effect:
    """Assess what was sent since then under both books, with what was clarified; `tell` is told how far it is.

    A question that a screening was not asked counts as not answered.
    """
    sent = ScreeningRow.submitted_at >= since
    total = screenings.count(act.session, sent)
    done = 0
    unreadable = 0
    differing: dict[tuple[Severity, Severity], list[str]] = {}
    for done, row in enumerate(screenings.all_rows(act.session, sent), start=1):
        tell(done, total)
        try:
            answers = screenings.read(act.session, act.keys, row).established
        except KeyFault:
            unreadable += 1
            continue
        was = evaluate(old, answers)
        now = evaluate(new, answers)
        found, finds = ({(one.rule, one.severity) for one in made.findings} for made in (was, now))
        if found != finds:
            differing.setdefault((was.outcome, now.outcome), []).append(row.reference)
    return Effect(
        total=done, unreadable=unreadable, differing=dict(sorted(differing.items(), reverse=True))
    )


def seen(act: Act, shown: Effect) -> None:
    """Note that somebody sees which screenings differ."""
    act.note_at_once("compared", detail=f"{shown.count} screenings")
