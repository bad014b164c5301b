"""What professionals add to a screening, in order.

Nothing that was recorded before is ever changed.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from screening.domain.answers import Answers


class Decision(StrEnum):
    """What the prescriber decided."""

    PROCEED = "proceed"
    PROCEED_WITH_CHANGES = "proceed_with_changes"
    DEFER = "defer"
    DO_NOT_START = "do_not_start"


class Status(StrEnum):
    """How far the clinic is with a screening."""

    NEW = "new"
    OPENED = "opened"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clarification:
    """What was established in the room on one question: `answers` now stand for those to all of `items`.

    `by` is the person's name, `at` in UTC, `why` how it was established.
    """

    by: str
    at: datetime
    items: tuple[str, ...]
    answers: Answers
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A decision.

    `until` is the day to which it was deferred; `reason` why a contraindication was set aside.
    """

    by: str
    at: datetime
    decision: Decision
    until: date | None = None
    note: str = ""
    reason: str = ""


Entry = Clarification | Review


def established(answers: Answers, entries: tuple[Entry, ...]) -> Answers:
    """The patient's answers with what was established since in their place."""
    for entry in entries:
        if isinstance(entry, Clarification):
            kept = (answer for answer in answers.given if answer.id not in entry.items)
            answers = Answers(given=(*kept, *entry.answers.given))
    return answers
