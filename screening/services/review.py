"""What professionals do with a screening: view it, clarify what is open, decide."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from screening.domain.answers import Answers
from screening.domain.assessment import Screening
from screening.domain.entries import Clarification, Decision, Entry, Review, Status
from screening.domain.rules import Question, Severity
from screening.services.editions import assess
from screening.storage import screenings
from screening.storage.audit import Act
from screening.storage.database import write

PROCEED = (Decision.PROCEED, Decision.PROCEED_WITH_CHANGES)


class ChangedMeanwhile(Exception):
    """Somebody else added `entry` after this person had opened the page."""

    def __init__(self, entry: Entry) -> None:
        super().__init__("changed meanwhile")
        self.entry = entry


class NeverShown(Exception):
    """More entries are said to have been seen than there are."""


class ReasonNeeded(Exception):
    """To proceed past a contraindication needs a reason."""


class DayNeeded(Exception):
    """To defer needs a day that is still to come."""


def view(act: Act, reference: str, *, action: str = "viewed") -> Screening:
    """The screening, with the view in the audit log; a new one becomes opened, however it is seen first.

    Raises NoSuchScreening. `action` is what was done: `viewed`, `printed` or `copied`.
    """
    with write(act.session):
        row = screenings.row_of(act.session, reference, lock=True)
        screening = screenings.read(act.session, act.keys, row)
        is_new = screening.status is Status.NEW
        if is_new:
            screening = replace(screening, status=Status.OPENED)
            _books, assessment = assess(act.session, act.keys, screening)
            screenings.change(act.session, act.keys, row, screening, assessment)
            act.note("opened", reference)
        if not is_new or action != "viewed":
            act.note(action, reference)
    return screening


def listed(act: Act, *, lines: int, searched: bool) -> None:
    """Note that somebody saw a list with names."""
    act.note_at_once("searched" if searched else "listed", detail=f"{lines} lines")


def clarify(
    act: Act,
    reference: str,
    *,
    question: Question,
    answers: Answers,
    why: str,
    seen: int,
    jobs: Iterable[str],
) -> None:
    """Record what was established on one question, with the `jobs` that follow; a reviewed screening is open again.

    `seen` is the number of entries on the page. Raises NoSuchScreening, ChangedMeanwhile,
    NeverShown.
    """
    items = tuple(item.id for item in question.page)
    entry = Clarification(by=act.full_name, at=act.now, items=items, answers=answers, why=why)
    _add(act, reference, entry, seen=seen, jobs=jobs)


def decide(
    act: Act,
    reference: str,
    *,
    decision: Decision,
    until: date | None,
    note: str,
    reason: str,
    seen: int,
    today: date,
    jobs: Iterable[str],
) -> None:
    """Record a decision, with the `jobs` that follow.

    Raises NoSuchScreening, ChangedMeanwhile, NeverShown, ReasonNeeded, DayNeeded.
    """
    if decision is Decision.DEFER and (until is None or until <= today):
        raise DayNeeded
    deferred = until if decision is Decision.DEFER else None
    entry = Review(
        by=act.full_name, at=act.now, decision=decision, until=deferred, note=note, reason=reason
    )
    _add(act, reference, entry, seen=seen, jobs=jobs)


def _add(act: Act, reference: str, entry: Entry, *, seen: int, jobs: Iterable[str]) -> None:
    decided = isinstance(entry, Review)
    with write(act.session):
        row = screenings.row_of(act.session, reference, lock=True)
        screening = screenings.read(act.session, act.keys, row)
        if not 0 <= seen <= len(screening.entries):
            raise NeverShown
        if len(screening.entries) != seen:
            raise ChangedMeanwhile(screening.entries[-1])
        status = Status.REVIEWED if decided else Status.OPENED
        screening = replace(screening, status=status, entries=(*screening.entries, entry))
        _books, assessment = assess(act.session, act.keys, screening)
        contraindicated = assessment.outcome is Severity.CONTRAINDICATION
        if (
            isinstance(entry, Review)
            and entry.decision in PROCEED
            and contraindicated
            and not entry.reason
        ):
            raise ReasonNeeded
        screenings.change(act.session, act.keys, row, screening, assessment, jobs=jobs)
        act.note("reviewed" if decided else "clarified", reference)
