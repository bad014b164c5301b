"""What another edition of the rule book would have made of the screenings that are stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from screening.domain.answers import Answers
from screening.domain.evaluate import evaluate
from screening.domain.rules import Open, RuleBook, Severity
from screening.storage import screenings
from screening.storage.audit import Act
from screening.storage.database import write
from screening.storage.encryption import KeyFault, Keys
from screening.storage.tables import ScreeningRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """References of the screenings of which findings differ, by the outcomes under the old and the new book.

    `total` screenings were sent in that time; `unreadable` of them cannot be opened.
    """

    total: int
    unreadable: int
    differing: Mapping[tuple[Severity, Severity], tuple[str, ...]]

    @property
    def count(self) -> int:
        """How many differ."""
        return sum(map(len, self.differing.values()))


def effect(
    session: Session,
    keys: Keys,
    old: RuleBook,
    new: RuleBook,
    *,
    since: datetime,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Effect:
    """Assess what was sent since then under both books, with what was clarified; `tell` is told how far it is.

    A question that a screening was not asked counts as not answered.
    """
    sent = ScreeningRow.submitted_at >= since
    total, done, unreadable = screenings.count(session, sent), 0, 0
    differing: dict[tuple[Severity, Severity], list[str]] = {}
    for done, row in enumerate(screenings.all_rows(session, sent), start=1):
        try:
            answers = screenings.read(session, keys, row).established
        except KeyFault:
            unreadable += 1
        else:
            (was, found), (now, finds) = _assessed(old, answers), _assessed(new, answers)
            if found != finds:
                differing.setdefault((was, now), []).append(row.reference)
        tell(done, total)
    ordered = sorted(differing.items(), reverse=True)
    return Effect(total=done, unreadable=unreadable, differing={key: tuple(one) for key, one in ordered})


def _assessed(book: RuleBook, answers: Answers) -> tuple[Severity, set[tuple[str, Severity, Open | None]]]:
    made = evaluate(book, answers)
    return made.outcome, {(one.rule, one.severity, one.open) for one in made.findings}


def seen(act: Act, shown: Effect, *, old: RuleBook, new: RuleBook) -> None:
    """Note that somebody sees which screenings differ."""
    editions = f"{old.edition.digest[:16]} and {new.edition.digest[:16]}"
    with write(act.session):
        act.note("compared", detail=f"{editions}: {shown.count} screenings")
