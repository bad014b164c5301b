"""When a patient is expected."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """The moment (UTC) of a visit, and the name of the prescriber, which may be empty."""

    at: datetime
    prescriber: str
