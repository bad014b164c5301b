"""Checks whether a printed summary is from this clinic and unchanged, by check code or by file."""

import re

from flask import Blueprint, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from screening.extensions import db
from screening.installation import current_installation
from screening.storage import links, screenings, summaries
from screening.storage.search import normal_reference
from screening.storage.summaries import StoredSummary
from screening.storage.tables import ScreeningRow
from screening.web.errors import Page
from screening.web.sign_in.guards import may_read
from screening.web.uploads import read_the_rest

blueprint = Blueprint("verify", __name__, url_prefix="/verify")

CLAIMS = 5  # number of references that are looked up for an unknown file
_REFERENCE = re.compile(rb"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


@blueprint.get("")
def ask() -> Page:
    """Show the page, with what is known of the check code in its address."""
    code = normal_reference(request.args.get("code", "")[:40])
    if not code:
        return _page("")
    known = summaries.by_code(db.session, current_installation().keys, code)
    return _page("unknown code" if known is None else "code", known, code=code)


@blueprint.post("")
def file() -> Page:
    """Show what is known of a PDF. Nothing of the file is kept."""
    sent = request.files.get("pdf")
    content = sent.read() if sent else b""
    if not content:
        return _page("no file")
    known = summaries.by_file(db.session, current_installation().keys, content)
    if known is not None:
        return _page("unchanged", known)
    # Strangers must not learn whether there is a screening with a reference that they made up.
    is_changed = may_read("prescriber", "staff") and _claims_to_be_ours(content)
    return _page("changed" if is_changed else "unknown file")


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> Page:
    """Show that the file is unknown: no summary is as large as that."""
    read_the_rest()
    return _page("unknown file"), 413


def _page(result: str, known: StoredSummary | None = None, code: str = "") -> str:
    target = ""
    if known and may_read("prescriber"):
        target = url_for("clinic.screening", reference=known.reference)
    keys = current_installation().keys
    has_newer = False
    if known:
        row = screenings.row_of(db.session, known.reference)
        has_newer = links.places(db.session, keys, [row])[row.id] == links.OLDER
    values = {"known": known, "code": code, "target": target, "has_newer": has_newer}
    return render_template("verify.html", result=result, **values)


def _claims_to_be_ours(content: bytes) -> bool:
    """Return whether the file names a screening in the database."""
    references = {reference.decode() for reference in _REFERENCE.findall(content)[:CLAIMS]}
    return screenings.count(db.session, ScreeningRow.reference.in_(references)) > 0
