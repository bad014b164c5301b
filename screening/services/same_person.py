"""Linking and parting screenings, and what a prescriber is shown of a patient's other answers."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from screening.domain.answers import Patient
from screening.storage import links, screenings
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.screenings import NoSuchScreening
from screening.storage.tables import SamePersonRow, ScreeningRow


class DecidedMeanwhile(Exception):
    """Another person decided about the two screenings after this person had opened the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another screening, as a link to it shows it.

    `patient` is None where it cannot be read. `has_entries` tells whether the clinic has
    recorded something. `decided_by` and `decided_at` are those of a link or parting, if any.
    """

    reference: str
    submitted_at: datetime
    patient: Patient | None
    has_entries: bool
    decided_by: str = ""
    decided_at: datetime | None = None

    @property
    def seen(self) -> str:
        """Return the value by which a form names the decision that its page showed."""
        return self.decided_at.isoformat() if self.decided_at else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """The other screenings of the same person, oldest first, and those that may be.

    `parted` are those that a prescriber has parted.
    """

    earlier: tuple[Other, ...]
    newer: tuple[Other, ...]
    perhaps: tuple[Other, ...]
    parted: tuple[Other, ...]


def related(actor: Actor, reference: str) -> Related:
    """Return what belongs to a screening, or may belong. Raises NoSuchScreening, KeyFault."""
    session = actor.session
    row = screenings.row_of(session, reference)
    same = links.others(session, actor.keys, [row])[row.id]
    decided = {
        decision.second_id if decision.first_id == row.id else decision.first_id: decision
        for decision in links.decisions(session, actor.keys, [row.id])
    }
    apart_ids = [id for id, decision in decided.items() if not decision.is_same]
    apart = [session.get_one(ScreeningRow, id) for id in apart_ids]
    known = [other.id for other in (*same, *apart)]
    perhaps = links.similar(session, actor.keys, row, known=known)

    def shown(other: ScreeningRow) -> Other:
        decision = decided.get(other.id)
        return Other(
            reference=other.reference,
            submitted_at=other.submitted_at,
            patient=screenings.readable_patient(other, actor.keys),
            has_entries=other.entries > 0,
            decided_by=decision.decided_by if decision else "",
            decided_at=decision.decided_at if decision else None,
        )

    place = links.answered(actor.keys, row)
    return Related(
        earlier=tuple(shown(other) for other in same if links.answered(actor.keys, other) < place),
        newer=tuple(shown(other) for other in same if links.answered(actor.keys, other) > place),
        perhaps=tuple(map(shown, perhaps)),
        parted=tuple(map(shown, apart)),
    )


def decide(actor: Actor, reference: str, other: str, *, is_same: bool, seen: str) -> None:
    """Link or part two screenings. Raises NoSuchScreening, DecidedMeanwhile.

    `seen` names the decision that the page showed (`Other.seen`).
    """
    with write(actor.session):
        # Locked as whoever deletes one locks them.
        query = select(ScreeningRow).where(ScreeningRow.reference.in_((reference, other)))
        rows = actor.session.scalars(query.order_by(ScreeningRow.id).with_for_update()).all()
        if len(rows) != 2:
            raise NoSuchScreening(other)
        first, second = rows
        id = links.pair_id(first, second)
        row = actor.session.get(SamePersonRow, id, with_for_update=True)
        if (row.decided_at.isoformat() if row else "") != seen:
            raise DecidedMeanwhile
        row = row or SamePersonRow(id=id, first_id=first.id, second_id=second.id)
        row.is_same = is_same
        row.decided_by = actor.full_name
        row.decided_at = actor.now
        actor.session.add(row)
        actor.note(links.LINKED if is_same else links.PARTED, id)
