"""Whether a printed summary is from this clinic and unchanged: by its check code, or by the file itself."""

import re
from io import BytesIO
from typing import IO

from flask import Blueprint, Flask, Request, render_template, request, url_for
from flask_security import current_user
from werkzeug.exceptions import RequestEntityTooLarge

from screening.extensions import db, installation
from screening.storage import screenings, summaries
from screening.storage.search import normal_reference
from screening.storage.summaries import Known
from screening.storage.tables import ScreeningRow
from screening.web.errors import Page

blueprint = Blueprint("verify", __name__, url_prefix="/verify")

FILE_BYTES = 2 * 1024 * 1024  # twice the longest summary: every field full of different Chinese characters
PART = 64 * 1024  # bytes read at once
CLAIMS = 5  # references looked up in a file that is not one of ours
_REFERENCE = re.compile(rb"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


class InMemory(Request):
    """A request whose files are never written to a disk."""

    def _get_file_stream(self, *_args: object, **_kwargs: object) -> IO[bytes]:
        return BytesIO()


def init_app(app: Flask) -> None:
    """Let a PDF be as large as it is, and stay in memory. Has to come before whatever reads forms."""
    app.request_class = InMemory

    @app.before_request
    def _larger() -> None:
        if request.endpoint == "verify.file":
            request.max_content_length = request.max_form_memory_size = FILE_BYTES


@blueprint.get("")
def ask() -> Page:
    """The page, with what is known of the check code in its address."""
    code = normal_reference(request.args.get("code", "")[:40])
    if not code:
        return _page("")
    known = summaries.by_code(db.session, installation().keys, code)
    return _page("unknown code" if known is None else "code", known, code=code)


@blueprint.post("")
def file() -> Page:
    """What is known of a PDF. Nothing of it is kept."""
    sent = request.files.get("pdf")
    content = sent.read() if sent else b""
    if not content:
        return _page("no file")
    known = summaries.by_file(db.session, installation().keys, content)
    if known is not None:
        return _page("unchanged", known)
    return _page("changed" if _claims_to_be_ours(content) else "unknown file")


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> Page:
    """No summary is as large as that. What is left of it is read: else a proxy that still sends would get no answer."""
    rest = request.environ["wsgi.input"]
    for _ in range(FILE_BYTES // PART):
        if not rest.read(PART):
            break
    return _page("unknown file"), 413


def _page(result: str, known: Known | None = None, code: str = "") -> str:
    # Only who may read screenings anyway is led to one.
    may_open = known is not None and current_user.is_authenticated and current_user.has_role("prescriber")
    target = url_for("clinic.screening", reference=known.reference) if known and may_open else ""
    return render_template("verify.html", result=result, known=known, code=code, target=target)


def _claims_to_be_ours(content: bytes) -> bool:
    """Whether the file names a screening that we have."""
    named = {one.decode() for one in _REFERENCE.findall(content)[:CLAIMS]}
    return screenings.count(db.session, ScreeningRow.reference.in_(named)) > 0
