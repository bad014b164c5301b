"""An invitation: one patient, one visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from screening.domain.answers import Patient
from screening.storage.search import folded, is_same_person

FARTHEST = timedelta(days=730)  # an appointment; a later day was mistyped


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """The patient, the visit and the language of a link.

    `appointment` is in UTC. Reminders go to `email`; an empty one means that none are sent.
    """

    patient: Patient
    language: str
    appointment: datetime | None = None
    prescriber: str = ""
    email: str = ""

    def is_after(self, moment: datetime) -> bool:
        """Return whether the appointment is after this moment."""
        return self.appointment is not None and self.appointment > moment


def is_same(invited: Patient, answering: Patient) -> bool:
    """Return whether name, date of birth and visit are those of the invitation.

    A visit that was not given fits every visit; signs, spaces and case make no difference.
    """
    visits = {folded(patient.visit).replace(" ", "") for patient in (invited, answering)}
    return len(visits - {""}) <= 1 and is_same_person(invited, answering)


def last_moment(*, now: datetime, days: int, timezone: str) -> datetime:
    """Return the last second (UTC) in which a new link works: the end of a day at the clinic."""
    zone = ZoneInfo(timezone)
    following = now.astimezone(zone).date() + timedelta(days=days + 1)
    return datetime.combine(following, time.min, zone).astimezone(UTC) - timedelta(seconds=1)


def appointment_fault(day: date, *, today: date) -> bool:
    """Return whether this day cannot be that of an appointment."""
    return not today <= day <= today + FARTHEST
