"""Figures over many screenings, without identities."""

from collections import Counter
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.domain.rules import Open
from screening.storage import screenings
from screening.storage.encryption import Keys
from screening.storage.tables import EntryRow, ScreeningRow


def left_open(session: Session, keys: Keys, since: datetime) -> list[tuple[str, dict[Open, int]]]:
    """For each question or follow-up that was left open: how many times in which way, the most often open first."""
    counted: Counter[tuple[str, Open]] = Counter()
    for _row, state in screenings.states(session, keys, since=since):
        for rule, _, how in (finding.partition("/") for finding in (state["findings"] if state else ())):
            if how:
                counted[rule.removeprefix("clarify-"), Open(how)] += 1
    asked = sorted({item for item, _ in counted}, key=lambda item: -sum(counted[item, how] for how in Open))
    return [(item, {how: counted[item, how] for how in Open}) for item in asked]


def median_time_to_review(session: Session, since: datetime) -> timedelta | None:
    """From sending to the first decision, for what was sent since then; None where nothing was decided."""
    first = (
        select(EntryRow.screening_id, func.min(EntryRow.made_at).label("at"))
        .where(EntryRow.kind == "review")
        .group_by(EntryRow.screening_id)
        .subquery()
    )
    query = select(ScreeningRow.submitted_at, first.c.at).join(first, first.c.screening_id == ScreeningRow.id)
    taken = [at - sent for sent, at in session.execute(query.where(ScreeningRow.submitted_at >= since))]
    return median(taken) if taken else None
