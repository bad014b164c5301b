"""The review of a screening: view it, clarify open questions, decide."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from screening.domain.answers import Answers
from screening.domain.assessment import Screening
from screening.domain.entries import Clarification, Decision, Entry, Review, Status
from screening.domain.rules import Question, Severity
from screening.services.editions import assess
from screening.storage import links, screenings
from screening.storage.audit import Actor
from screening.storage.database import write

PROCEED = (Decision.PROCEED, Decision.PROCEED_WITH_CHANGES)


class ChangedMeanwhile(Exception):
    """Another person added `entry` after this person had opened the page."""

    def __init__(self, entry: Entry) -> None:
        super().__init__("changed meanwhile")
        self.entry = entry


class NeverShown(Exception):
    """The form names more entries than the screening has."""


class ReasonNeeded(Exception):
    """Proceeding despite a contraindication needs a reason."""


class NewerAnswers(Exception):
    """Deciding on answers although the same person has sent newer ones needs a reason."""


class DayNeeded(Exception):
    """Deferring needs a day in the future."""


def view(actor: Actor, reference: str, *, action: str = "viewed", opens: bool = True) -> Screening:
    """Return the screening and note the view in the audit log. Raises NoSuchScreening.

    `action` is `viewed`, `printed` or `copied`. A new screening becomes opened where it `opens`: a
    command does not, because nobody of the clinic has read it then.
    """
    with write(actor.session):
        row = screenings.row_of(actor.session, reference, lock=True)
        screening = screenings.read(actor.session, actor.keys, row)
        is_new = opens and screening.status is Status.NEW
        if is_new:
            screening = replace(screening, status=Status.OPENED)
            _books, assessment = assess(actor.session, actor.keys, screening)
            screenings.change(actor.session, actor.keys, row, screening, assessment)
            actor.note("opened", reference)
        if not is_new or action != "viewed":
            actor.note(action, reference)
    return screening


def listed(actor: Actor, *, lines: int, searched: bool) -> None:
    """Note in the audit log that a person saw a list with names."""
    actor.note_at_once("searched" if searched else "listed", detail=f"{lines} lines")


def clarify(
    actor: Actor,
    reference: str,
    *,
    question: Question,
    answers: Answers,
    why: str,
    seen: int,
    jobs: Iterable[str],
) -> None:
    """Record a clarification of one question, in one transaction with the `jobs` that follow.

    A reviewed screening becomes opened again. `seen` is the number of entries that the page
    showed. Raises NoSuchScreening, ChangedMeanwhile, NeverShown.
    """
    items = tuple(item.id for item in question.page)
    entry = Clarification(by=actor.full_name, at=actor.now, items=items, answers=answers, why=why)
    _add(actor, reference, entry, seen=seen, jobs=jobs)


def decide(
    actor: Actor,
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
    """Record a decision, in one transaction with the `jobs` that follow.

    `seen` is the number of entries that the page showed. Raises NoSuchScreening, ChangedMeanwhile,
    NeverShown, ReasonNeeded, NewerAnswers, DayNeeded.
    """
    if decision is Decision.DEFER and (until is None or until <= today):
        raise DayNeeded
    deferred = until if decision is Decision.DEFER else None
    entry = Review(
        by=actor.full_name,
        at=actor.now,
        decision=decision,
        until=deferred,
        note=note,
        reason=reason,
    )
    _add(actor, reference, entry, seen=seen, jobs=jobs)


def _add(actor: Actor, reference: str, entry: Entry, *, seen: int, jobs: Iterable[str]) -> None:
    decided = isinstance(entry, Review)
    with write(actor.session):
        row = screenings.row_of(actor.session, reference, lock=True)
        screening = screenings.read(actor.session, actor.keys, row)
        if not 0 <= seen <= len(screening.entries):
            raise NeverShown
        if len(screening.entries) != seen:
            raise ChangedMeanwhile(screening.entries[-1])
        status = Status.REVIEWED if decided else Status.OPENED
        screening = replace(screening, status=status, entries=(*screening.entries, entry))
        _books, assessment = assess(actor.session, actor.keys, screening)
        lacks_reason = isinstance(entry, Review) and entry.decision in PROCEED and not entry.reason
        if lacks_reason and assessment.outcome is Severity.CONTRAINDICATION:
            raise ReasonNeeded
        has_reason = not isinstance(entry, Review) or entry.reason
        if not has_reason and links.places(actor.session, actor.keys, [row])[row.id] == links.OLDER:
            raise NewerAnswers
        screenings.change(actor.session, actor.keys, row, screening, assessment, jobs=jobs)
        actor.note("reviewed" if decided else "clarified", reference)
