"""What professionals do with a screening: view it, clarify what is open, decide."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from screening.domain.answers import Answers
from screening.domain.assessment import Assessment, Screening
from screening.domain.entries import Clarification, Decision, Entry, Professional, Review, Status
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, Question, RuleBook, Severity
from screening.rulebooks.load import load_content
from screening.storage import audit, screenings
from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.screenings import NoSuchScreening


class ChangedMeanwhile(Exception):
    """Somebody else added `entry` after this person had opened the page."""

    def __init__(self, entry: Entry) -> None:
        super().__init__("changed meanwhile")
        self.entry = entry


class ReasonNeeded(Exception):
    """To proceed past a contraindication needs a reason."""


class DayNeeded(Exception):
    """To defer needs a day that is still to come."""


def books_of(session: Session, screening: Screening) -> Mapping[str, RuleBook]:
    """The edition of the rule book that a screening was made under, in each of its languages."""
    return load_content(screenings.edition_content(session, screening.digest))


def view(
    *, session: Session, keys: Keys, reference: str, by: Professional, now: datetime, action: str = "viewed"
) -> Screening:
    """The screening, with the view in the audit log; a new one becomes opened, however it is seen first.

    Raises NoSuchScreening. `action` is what was done: `viewed`, `printed` or `copied`.
    """
    with write(session):
        row, screening = screenings.open_for_change(session, keys, reference)
        is_new = screening.status is Status.NEW
        if is_new:
            screening = replace(screening, status=Status.OPENED)
            screenings.change(session, keys, row, screening, _assess(session, screening))
            _note(session, keys, screening, now=now, by=by, action="opened")
        if not is_new or action != "viewed":
            _note(session, keys, screening, now=now, by=by, action=action)
    return screening


def listed(*, session: Session, keys: Keys, by: Professional, now: datetime, lines: int, searched: bool) -> None:
    """Note that somebody saw a list with names."""
    with write(session):
        action = "searched" if searched else "listed"
        audit.append(session, keys, now=now, actor=by.sign_in_name, action=action, detail=f"{lines} lines")


def clarify(
    *,
    session: Session,
    keys: Keys,
    reference: str,
    question: Question,
    answers: Answers,
    why: str,
    seen: int,
    by: Professional,
    now: datetime,
) -> Screening:
    """Record what was established on one question; a reviewed screening is open again.

    `seen` is the number of entries on the page. Raises NoSuchScreening, ChangedMeanwhile.
    """
    items = tuple(item.id for item in question.page)
    entry = Clarification(by=by.full_name, at=now, items=items, answers=answers, why=why)
    return _add(session, keys, reference, entry, Status.OPENED, "clarified", seen=seen, by=by)


def decide(
    *,
    session: Session,
    keys: Keys,
    reference: str,
    decision: Decision,
    until: date | None,
    note: str,
    reason: str,
    seen: int,
    by: Professional,
    today: date,
    now: datetime,
) -> Screening:
    """Record a decision. Raises NoSuchScreening, ChangedMeanwhile, ReasonNeeded, DayNeeded."""
    if decision is Decision.DEFER and (until is None or until <= today):
        raise DayNeeded
    deferred = until if decision is Decision.DEFER else None
    entry = Review(by=by.full_name, at=now, decision=decision, until=deferred, note=note, reason=reason)
    return _add(session, keys, reference, entry, Status.REVIEWED, "reviewed", seen=seen, by=by)


def _add(
    session: Session,
    keys: Keys,
    reference: str,
    entry: Entry,
    status: Status,
    action: str,
    *,
    seen: int,
    by: Professional,
) -> Screening:
    with write(session):
        row, screening = screenings.open_for_change(session, keys, reference)
        if len(screening.entries) != seen:
            raise ChangedMeanwhile(screening.entries[-1])
        screening = replace(screening, status=status, entries=(*screening.entries, entry))
        assessment = _assess(session, screening)
        if isinstance(entry, Review) and _past_contraindication(entry, assessment) and not entry.reason:
            raise ReasonNeeded
        screenings.change(session, keys, row, screening, assessment)
        _note(session, keys, screening, now=entry.at, by=by, action=action)
    return screening


def _past_contraindication(entry: Review, assessment: Assessment) -> bool:
    proceeds = entry.decision in (Decision.PROCEED, Decision.PROCEED_WITH_CHANGES)
    return proceeds and assessment.outcome is Severity.CONTRAINDICATION


def _assess(session: Session, screening: Screening) -> Assessment:
    return evaluate(books_of(session, screening)[BASE_LANGUAGE], screening.established)


def _note(session: Session, keys: Keys, screening: Screening, *, now: datetime, by: Professional, action: str) -> None:
    audit.append(session, keys, now=now, actor=by.sign_in_name, action=action, subject=screening.reference)


__all__ = ["ChangedMeanwhile", "DayNeeded", "NoSuchScreening", "ReasonNeeded", "books_of", "clarify", "decide", "view"]
