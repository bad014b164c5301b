"""An invitation: one patient, one visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from screening.domain.answers import Patient

FARTHEST = timedelta(days=730)  # an appointment; a later one is a slip of the finger


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Whom to and what for. `appointment` is in UTC; `email` is where reminders go, if anywhere."""

    patient: Patient
    language: str
    appointment: datetime | None = None
    prescriber: str = ""
    email: str = ""


def is_same(invited: Patient, answering: Patient) -> bool:
    """Whether somebody is who was invited, and for that visit, as far as the three fields tell."""

    def plain(one: Patient) -> tuple[object, ...]:
        return (
            " ".join(one.name.casefold().split()),
            one.birth_date,
            one.visit.casefold() if invited.visit else "",
        )

    return plain(invited) == plain(answering)


def last_moment(*, now: datetime, days: int, timezone: str) -> datetime:
    """Until when a link works that is made now: to the end of a day at the clinic, as people read "until" (UTC)."""
    zone = ZoneInfo(timezone)
    following = now.astimezone(zone).date() + timedelta(days=days + 1)
    return datetime.combine(following, time.min, zone).astimezone(UTC) - timedelta(seconds=1)


def appointment_fault(day: date, *, today: date) -> bool:
    """Whether that cannot be the day of an appointment."""
    return not today <= day <= today + FARTHEST
