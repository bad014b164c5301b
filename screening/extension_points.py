"""Where features add to the core.

A feature is a package in `screening/features`; the core knows none of them.

Tables of a feature say for themselves how they are locked, cleared and restored: see
`storage.tables.Sealed`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from flask_babel import LazyString
from sqlalchemy.orm import Session

from screening.domain.answers import Patient
from screening.domain.assessment import Screening
from screening.storage.encryption import Keys
from screening.storage.worklist import Appointments


class Check(NamedTuple):
    """What `flask doctor` says of one subject. `is_well` is None for what is only to be known."""

    is_well: bool | None
    subject: str
    words: str


class Section(NamedTuple):
    """An entry of the navigation for staff, for people with one of the roles.

    The lowest `place` comes first. With `has_blueprint`, all pages of its blueprint belong to it.
    """

    place: int
    endpoint: str
    label: LazyString
    roles: tuple[str, ...]
    has_blueprint: bool = False


class Counter(NamedTuple):
    """A figure of `/metrics`: how many rows of the audit log have this action."""

    name: str
    words: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """Jobs that follow from a screening that was sent.

    They follow from each entry of the clinic too where they are wanted for `every_edition`. `work`
    does the job that has been due for longest, and returns False where none is due.
    """

    kind: str
    label: str
    every_edition: bool
    work: Callable[[datetime], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A patient who is expected at a moment (UTC).

    `reference` is that of the patient's newest screening, or empty. `other` is that of a screening
    with another name, date of birth or visit, which may not be this patient's. `patient` is
    None where the row cannot be opened. `progress` says how far it has come without answers.
    """

    at: datetime
    patient: Patient | None
    prescriber: str
    reference: str
    other: str
    progress: LazyString
    page: str  # the address of the page about it


class Mailer(Protocol):
    """Sends mail for a feature that does not know how."""

    def send_text(self, to: str, subject: str, text: str, *, language: str) -> None:
        """Send a text. Raises JobFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionPoints:
    """What features have added. Each adds in its `init_app`, once, before the first request."""

    sections: list[Section] = field(default_factory=list)
    # Blueprints whose pages are in the clinic's language.
    staff_blueprints: set[str] = field(default_factory=set)
    # HTML above a screening.
    notices: list[Callable[[Screening], str]] = field(default_factory=list)
    # The patients expected from a moment until another.
    expected: list[Callable[[Session, Keys, datetime, datetime], list[Expected]]] = field(
        default_factory=list
    )
    appointments: list[Appointments] = field(default_factory=list)
    # Work of `flask init` on rows of an earlier release.
    preparations: list[Callable[[Session, Keys], None]] = field(default_factory=list)
    # Whether the draft with this hash can be found again without a code.
    draft_owners: list[Callable[[Session, str], bool]] = field(default_factory=list)
    # The patient known to the clinic behind a draft: by its hash, and the reference it replaces.
    known_patients: list[Callable[[str, str], Patient | None]] = field(default_factory=list)
    checks: list[Callable[[], Iterator[Check]]] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    job_kinds: list[JobKind] = field(default_factory=list)
    # Why a job failed, in words for staff.
    reasons: dict[str, str] = field(default_factory=dict)
    mailers: list[Mailer] = field(default_factory=list)
