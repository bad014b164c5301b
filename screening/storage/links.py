"""Screenings of the same person: found by the blind index, linked or parted by prescribers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, defer

from screening.domain.answers import Patient
from screening.storage import screenings, search
from screening.storage.encryption import Keys
from screening.storage.identity import Identity
from screening.storage.private_files import KeyFault
from screening.storage.tables import SamePersonRow, ScreeningRow, SearchRow

MOST_OPENED = 200  # screenings whose patients are read to find further ones
OLDER = "older"  # the place of a screening, where a later one exists
PAPER_DAY = timedelta(days=1, seconds=-1)
MOST_SIMILAR = 5  # by name and date of birth, and again by visit
# the audit actions of a decision, with the id of the pair as their subject
LINKED = "linked"
PARTED = "parted"

Neighbours = dict[str, set[str]]  # ids of screenings, by the id of a screening


def pair_id(first: ScreeningRow, second: ScreeningRow) -> str:
    """Return the id of the decision about two screenings."""
    return " ".join(sorted((first.reference, second.reference)))


def decisions(session: Session, keys: Keys, ids: Iterable[str]) -> list[SamePersonRow]:
    """Return the decisions about these screenings; one that was changed unseen does not count."""
    wanted = list(ids)
    about = or_(SamePersonRow.first_id.in_(wanted), SamePersonRow.second_id.in_(wanted))
    sound = []
    for row in session.scalars(select(SamePersonRow).where(about)):
        with suppress(KeyFault):
            row.unseal(keys, "sealed_check")
            sound.append(row)
    return sound


def faults(session: Session, decided: Mapping[str, bool]) -> Iterator[str]:
    """Yield the faults of the stored decisions. `decided` are those of the audit log, by pair."""
    query = select(SamePersonRow.id, SamePersonRow.is_same)
    stored = {row.id: row.is_same for row in session.execute(query)}
    for id in stored.keys() | decided.keys():
        if stored.get(id) is not decided.get(id) and (
            id in stored or screenings.count(session, ScreeningRow.reference.in_(id.split())) == 2
        ):
            yield f"same_person {id}: the decision about it is not that of the audit log"


def others(
    session: Session, keys: Keys, rows: Sequence[ScreeningRow]
) -> dict[str, list[ScreeningRow]]:
    """Return the other screenings of the same person, oldest first, by the id of each row.

    The screenings that follow from one another belong together, except those that a prescriber
    has parted.
    """
    known = {row.id: row for row in rows}
    linked: Neighbours = {}
    parted: Neighbours = {}
    while (unread := [row for row in known.values() if row.id not in linked]) and (
        len(linked) < len(rows) + MOST_OPENED
    ):
        _read_neighbours(session, keys, unread, linked, parted)
        missing = set().union(*linked.values()) - known.keys()
        known |= {row.id: row for row in _rows(session, ScreeningRow.id.in_(missing))}
    return {
        row.id: sorted(
            (known[id] for id in _reached(row.id, linked, parted) if id in known),
            key=partial(answered, keys),
        )
        for row in rows
    }


def answered(keys: Keys, row: ScreeningRow) -> tuple[datetime, str]:
    """Return the key that sorts screenings by when they were answered.

    An older paper form may be typed in after newer answers were sent: it counts as answered at the
    end of the day on the paper.
    """
    at = row.submitted_at
    with suppress(KeyFault):
        if paper := screenings.patient(row, keys).paper:
            at = min(at, paper.filled_in_at + PAPER_DAY)
    return at, row.id


def places(session: Session, keys: Keys, rows: Sequence[ScreeningRow]) -> dict[str, str]:
    """Return by the id of each row whether it is the `newest` of several by the same person.

    It is OLDER where a later one exists, and "" where there is no other.
    """
    same = others(session, keys, rows)

    def place(row: ScreeningRow) -> str:
        last = same[row.id][-1:]
        if not last:
            return ""
        return OLDER if answered(keys, last[0]) > answered(keys, row) else "newest"

    return {row.id: place(row) for row in rows}


def sent_since(
    session: Session, keys: Keys, people: Mapping[str, tuple[Patient, datetime]], until: datetime
) -> dict[str, str]:
    """Return the reference of what each person sent last, since a moment of their own, by key."""
    holders: dict[bytes, list[str]] = {}
    for id, (patient, _since) in people.items():
        for token in search.tokens(keys, search.identity("", patient, "").same()):
            holders.setdefault(token, []).append(id)
    query = (
        select(SearchRow.token, ScreeningRow.reference, ScreeningRow.submitted_at)
        .join(ScreeningRow, ScreeningRow.id == SearchRow.screening_id)
        .where(SearchRow.token.in_(holders), ScreeningRow.submitted_at < until)
        .order_by(ScreeningRow.submitted_at, ScreeningRow.id)
    )
    last: dict[str, str] = {}
    for token, reference, sent_at in session.execute(query):
        last |= {id: reference for id in holders[bytes(token)] if sent_at >= people[id][1]}
    return last


def similar(
    session: Session, keys: Keys, row: ScreeningRow, *, known: Iterable[str]
) -> list[ScreeningRow]:
    """Return the newest screenings that may be of the same person, without the ids in `known`.

    A visit that many people wrote leaves room for those whose name or date of birth is similar.
    """
    identity = _identity(keys, row)
    rows: list[ScreeningRow] = []
    for terms in (identity.mistyped(), identity.same_visit()):
        tokens = search.tokens(keys, terms)
        found = select(SearchRow.screening_id).where(SearchRow.token.in_(tokens))
        is_other = ScreeningRow.id.not_in([row.id, *known, *(other.id for other in rows)])
        rows += _rows(session, ScreeningRow.id.in_(found), is_other, newest=MOST_SIMILAR)
    return rows


def _rows(
    session: Session, *conditions: ColumnElement[bool], newest: int | None = None
) -> list[ScreeningRow]:
    query = select(ScreeningRow).where(*conditions).options(defer(ScreeningRow.sealed_answers))
    return list(session.scalars(query.order_by(ScreeningRow.submitted_at.desc()).limit(newest)))


def _identity(keys: Keys, row: ScreeningRow) -> Identity:
    replaces = screenings.state(row, keys).get("replaces", "")
    return search.identity(row.reference, screenings.patient(row, keys), replaces)


def _read_neighbours(
    session: Session,
    keys: Keys,
    rows: Sequence[ScreeningRow],
    linked: Neighbours,
    parted: Neighbours,
) -> None:
    """Add the screenings that are linked with these rows directly, and those that are parted."""
    holders: dict[bytes, list[str]] = {}
    for row in rows:
        linked[row.id] = set()
        with suppress(KeyFault):
            for token in search.tokens(keys, _identity(keys, row).same()):
                holders.setdefault(token, []).append(row.id)
    shared = select(SearchRow.token, SearchRow.screening_id).where(SearchRow.token.in_(holders))
    for token, other_id in session.execute(shared):
        for id in holders[bytes(token)]:
            linked[id].add(other_id)
    for decision in decisions(session, keys, [row.id for row in rows]):
        for id, other_id in (
            (decision.first_id, decision.second_id),
            (decision.second_id, decision.first_id),
        ):
            if not decision.is_same:
                parted.setdefault(id, set()).add(other_id)
            elif id in linked:  # the decision is found again when the other one is read
                linked[id].add(other_id)


def _reached(origin: str, linked: Neighbours, parted: Neighbours) -> set[str]:
    """Return the ids of all screenings linked to one, without it and those parted from it."""
    apart = parted.get(origin, set())
    reached = {origin}
    last = {origin}
    while last:
        following = {
            other_id for id in last for other_id in linked.get(id, set()) - parted.get(id, set())
        }
        last = following - reached - apart
        reached |= last
    return reached - {origin}
