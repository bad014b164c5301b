"""The page to acknowledge what is due for deletion although nobody has decided on it."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import retention
from screening.services import review
from screening.storage import screenings
from screening.web.errors import Page
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint("announced", __name__, url_prefix="/clinic/announced")

PAGE_LENGTH = 100


@blueprint.get("")
@needs("prescriber")
def listed() -> Page:
    """List the first of them."""
    keys = current_installation().keys
    days = current_installation().settings.retention_days
    count, _first, references = retention.announced(db.session, days=days, shown=PAGE_LENGTH)
    rows = screenings.rows(db.session, references)
    lines = [
        (reference, rows[reference], screenings.readable_patient(rows[reference], keys))
        for reference in references
        if reference in rows
    ]
    review.listed(current_actor(), lines=len(lines), searched=False)
    return render_template("clinic/announced.html", lines=lines, count=count)


@blueprint.post("")
@needs("prescriber")
def acknowledge() -> Page:
    """Let those that were ticked, or all that were listed, be deleted."""
    references = request.form.getlist("listed" if "all" in request.form else "reference")
    acknowledged = retention.acknowledge(current_actor(), references[:PAGE_LENGTH])
    flash(
        ngettext(
            "%(num)s screening may be deleted.", "%(num)s screenings may be deleted.", acknowledged
        )
        if acknowledged
        else _("Nothing was ticked, or decisions have been recorded meanwhile.")
    )
    return redirect(url_for("announced.listed"), code=303)
