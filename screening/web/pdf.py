"""PDFs as responses. Each process makes one at a time."""

import threading
from collections.abc import Callable
from io import BytesIO

from flask import render_template, request, send_file
from werkzeug.wrappers import Response

from screening.printing.renderer_process import PrintingFailed
from screening.web.errors import Page

RELOAD_SECONDS = 2  # after which the page of a PDF that is being made reloads
_making = threading.Lock()


def in_turn(make: Callable[[], Response], *, back: str) -> Page:
    """Return the PDF that `make` returns, or a page.

    One thread of each process makes PDFs; the others answer other requests. While a PDF is being
    made, other requests get a page that reloads. If it cannot be made, a page leads to `back`.
    """
    if not _making.acquire(blocking=False):
        return _being_made()
    try:
        return make()
    except PrintingFailed:
        return not_printed(back)
    finally:
        _making.release()


def _being_made() -> Page:
    page = render_template("patient/pdf_being_made.html", target=request.full_path.rstrip("?"))
    headers = dict.fromkeys(("Refresh", "Retry-After"), str(RELOAD_SECONDS))
    return Response(page, 503, headers, mimetype="text/html")


def pdf_response(content: bytes, name: str) -> Response:
    """Return a PDF to be shown or, with `?download=1`, saved under this name."""
    return send_file(
        BytesIO(content),
        mimetype="application/pdf",
        as_attachment="download" in request.args,
        download_name=name,
    )


def not_printed(target: str) -> Page:
    """Return the page for a PDF that could not be made; it leads to `target`."""
    return render_template("patient/pdf_failed.html", target=target), 503
