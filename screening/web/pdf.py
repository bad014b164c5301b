"""PDFs as responses: one is made at a time in each process."""

import threading
from collections.abc import Callable
from io import BytesIO

from flask import render_template, request, send_file
from werkzeug.wrappers import Response

from screening.printing.renderer_process import PrintingFailed
from screening.web.errors import Page

SHORTLY = 2  # seconds after which a page asks again for a PDF that is being made
_patients_turn = threading.Lock()


def in_turn(make: Callable[[], Response], *, back: str) -> Page:
    """A PDF for a patient: one at a time in each process, so that all but one of its threads are there for pages.

    Whoever comes meanwhile is told at once, by a page that comes back by itself; where it cannot be
    made, by one that leads `back`.
    """
    if not _patients_turn.acquire(blocking=False):
        return _being_made()
    try:
        return make()
    except PrintingFailed:
        return not_printed(back)
    finally:
        _patients_turn.release()


def _being_made() -> Page:
    page = render_template("patient/pdf_being_made.html", target=request.full_path.rstrip("?"))
    return Response(
        page, 503, {"Refresh": str(SHORTLY), "Retry-After": str(SHORTLY)}, mimetype="text/html"
    )


def pdf_response(content: bytes, name: str) -> Response:
    """A PDF to be shown or, with `?download=1`, saved under this name."""
    return send_file(
        BytesIO(content),
        mimetype="application/pdf",
        as_attachment="download" in request.args,
        download_name=name,
    )


def not_printed(target: str) -> Page:
    """The page for a PDF that could not be made, which leads to `target`."""
    return render_template("patient/pdf_failed.html", target=target), 503
