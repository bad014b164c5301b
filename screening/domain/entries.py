"""The entries that professionals add to a screening, in order.

An entry never changes earlier ones.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from screening.domain.answers import Answers


class Decision(StrEnum):
    """The decision of a prescriber."""

    PROCEED = "proceed"
    PROCEED_WITH_CHANGES = "proceed_with_changes"
    DEFER = "defer"
    DO_NOT_START = "do_not_start"


class Status(StrEnum):
    """The state of the clinic's work on a screening."""

    NEW = "new"
    OPENED = "opened"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clarification:
    """Answers that a professional established with the patient.

    They replace the patient's answers to all of `items`. `by` is the professional's full name, `at`
    the time in UTC, `why` how they were established.
    """

    by: str
    at: datetime
    items: tuple[str, ...]
    answers: Answers
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A decision.

    `until` is the day to which it is deferred; `reason` states why the prescriber proceeds although
    there is a contraindication.
    """

    by: str
    at: datetime
    decision: Decision
    until: date | None = None
    note: str = ""
    reason: str = ""


Entry = Clarification | Review


def established(answers: Answers, entries: tuple[Entry, ...]) -> Answers:
    """Return the patient's answers, replaced by clarifications where there are any."""
    for entry in entries:
        if isinstance(entry, Clarification):
            others = (answer for answer in answers.given if answer.id not in entry.items)
            answers = Answers(given=(*others, *entry.answers.given))
    return answers
