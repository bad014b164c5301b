"""The other answers of the same person on a screening's page; linking and parting screenings."""

from contextlib import suppress
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from screening.domain.assessment import Screening
from screening.extensions import db
from screening.installation import current_installation
from screening.reports.differences import Difference, differences
from screening.reports.summary import EntryLine, Summary
from screening.services import same_person
from screening.services.same_person import Other, Related
from screening.storage import screenings
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint("same_person", __name__, url_prefix="/clinic/screenings")

MOST_COMPARED = 4  # earlier screenings; all are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Another screening: what differs (None if unreadable), and what the clinic recorded."""

    other: Other
    differences: tuple[Difference, ...] | None
    entries: tuple[EntryLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """The parts of `clinic/_other_answers.html`.

    `newest` is None where no later screening exists. `earlier` are the last one for which the
    clinic has recorded something and those that followed, the latest first.
    """

    related: Related
    newest: Compared | None
    earlier: tuple[Compared, ...]


def shown(found: Screening, summary: Summary) -> Others:
    """Return what is shown beside a screening, and note each further screening that is shown."""
    related = same_person.related(current_actor(), found.reference)
    recorded = [other for other in related.earlier if other.has_entries][-1:]
    begin = related.earlier.index(recorded[0]) if recorded else 0
    last = (*reversed(related.earlier[begin:][-MOST_COMPARED:]), *recorded)
    return Others(
        related=related,
        newest=_compared(related.newer[-1], summary, is_newer=True) if related.newer else None,
        earlier=tuple(_compared(other, summary, is_newer=False) for other in dict.fromkeys(last)),
    )


def _compared(other: Other, summary: Summary, *, is_newer: bool) -> Compared:
    current_actor().note_at_once("viewed", other.reference, f"beside {summary.reference}")
    with suppress(KeyFault):
        is_other = ScreeningRow.reference == other.reference
        screening = screenings.find(db.session, current_installation().keys, is_other)
        if screening is not None:
            its = current_installation().printer.summary(screening)
            pair = (summary, its) if is_newer else (its, summary)
            return Compared(other=other, differences=tuple(differences(*pair)), entries=its.entries)
    return Compared(other=other, differences=None, entries=())


@blueprint.post("/<reference>/same-person")
@needs("prescriber")
def decide(reference: str) -> Response:
    """Link another screening with this one, or part them."""
    is_same = request.form.get("is_same") == "yes"
    try:
        same_person.decide(
            current_actor(),
            reference,
            request.form.get("other", ""),
            is_same=is_same,
            seen=request.form.get("seen", ""),
        )
        flash(_("Recorded: the same person.") if is_same else _("Recorded: not the same person."))
    except same_person.DecidedMeanwhile:
        flash(_("Nothing was changed: somebody else has decided meanwhile, as shown below."))
    except screenings.NoSuchScreening:
        flash(_("Nothing was changed: one of the two screenings has been deleted."))
    return redirect(url_for("clinic.screening", reference=reference), code=303)
