"""Export screenings to other systems, with a note in the audit log."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook
from screening.services import editions
from screening.storage import screenings
from screening.storage.audit import Actor
from screening.storage.tables import ScreeningRow


def export(
    actor: Actor, *, since: datetime, kind: str
) -> Iterator[tuple[Screening, Assessment, Mapping[str, RuleBook]]]:
    """Yield every screening sent since then, assessed under its own edition.

    The note in the audit log comes first.
    """
    actor.note_at_once("exported", detail=f"since {since:%Y-%m-%d} as {kind}")
    for row in screenings.all_rows(actor.session, ScreeningRow.submitted_at >= since):
        screening = screenings.read(actor.session, actor.keys, row)
        books, assessment = editions.assess(actor.session, actor.keys, screening)
        yield screening, assessment, books
