"""Who is expected on a day: the first part of the inbox."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from screening.domain.answers import Patient
from screening.domain.entries import Status
from screening.extension_points import Expected
from screening.extensions import db
from screening.installation import current_installation
from screening.storage import links, screenings
from screening.storage.search import folded
from screening.storage.worklist import Filter, Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A stored screening as lists show it; `patient` is None where the row cannot be opened.

    The place is `older` or `newest` where the same person has sent several screenings, else empty.
    """

    listed: Listed
    status: str
    sent_at: datetime
    patient: Patient | None
    place: str

    @property
    def answered_at(self) -> datetime:
        """Return when the answers were given: on paper that may be before they were sent."""
        return self.patient.answered_at(self.sent_at) if self.patient else self.sent_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLine:
    """Somebody who is expected, and the line of the answers, or None while there are none."""

    expected: Expected
    answers: Line | None


def lines(listed: list[Listed]) -> Iterator[Line]:
    """Yield the lines of screenings that are still there."""
    rows = screenings.rows(db.session, [entry.reference for entry in listed])
    places = links.places(db.session, current_installation().keys, [*rows.values()])
    for entry in listed:
        if (row := rows.get(entry.reference)) is None:  # deleted since it was listed
            continue
        yield Line(
            listed=entry,
            status=row.status,
            sent_at=row.submitted_at,
            patient=screenings.readable_patient(row, current_installation().keys),
            place=places[row.id],
        )


def expected_on(day: date) -> list[Expected]:
    """Return who is expected on a day at the clinic, by time."""
    zone = ZoneInfo(current_installation().settings.clinic_timezone)
    since = datetime.combine(day, time.min, zone).astimezone(UTC)
    until = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    together = [
        entry
        for expected_between in current_installation().points.expected
        for entry in expected_between(db.session, current_installation().keys, since, until)
    ]
    return sorted(together, key=lambda entry: entry.at)


def with_answers(
    list_: sqlite3.Connection, expected: list[Expected], chosen: Filter, *, by_severity: bool
) -> list[ExpectedLine]:
    """Return the lines of who is expected that the filter shows, by time or by severity.

    What is to do is everybody.
    """
    references = [entry.reference for entry in expected if entry.reference]
    listed, _total = current_installation().worklist.page(
        list_,
        Filter(show="all", references=references),
        by_severity=by_severity,
        offset=0,
        limit=len(references),
    )
    by_reference = {line.listed.reference: line for line in lines(listed)}
    shown = [
        ExpectedLine(expected=entry, answers=by_reference.get(entry.reference))
        for entry in expected
    ]
    shown = [line for line in shown if _is_chosen(line, chosen)]
    if by_severity:
        order = {reference: place for place, reference in enumerate(by_reference)}
        shown.sort(key=lambda line: order.get(line.expected.reference, len(order)))
    return shown


def _is_chosen(line: ExpectedLine, chosen: Filter) -> bool:
    if chosen.prescriber is not None and folded(line.expected.prescriber) != chosen.prescriber:
        return False
    references = chosen.references
    if references is not None and line.expected.reference not in references:
        return False
    if not line.expected.reference and chosen.show == "unanswered":
        return chosen.outcome is None
    if line.answers is None:  # or what a new process has not read yet; `other` is of any outcome
        is_outcome = bool(line.expected.other) or chosen.outcome is None
        return is_outcome and chosen.show in ("todo", "all", "unreviewed")
    if chosen.outcome is not None and line.answers.listed.outcome is not chosen.outcome:
        return False
    return {
        "unanswered": False,
        "deferred": line.answers.listed.until is not None,
        **{status.value: line.answers.status == status for status in Status},
    }.get(chosen.show, True)
