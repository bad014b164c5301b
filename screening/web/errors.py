"""Error pages, which state what to do. The log records the cause, without personal data."""

import logging
import secrets
from functools import partial

from flask import Flask, current_app, g, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError, generate_csrf
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import DataError
from werkzeug.exceptions import BadRequest, HTTPException, SecurityError
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.installation import current_installation
from screening.operating.own_lines import lines_of_ours
from screening.services.questionnaire import DraftGone, TooManyTries
from screening.services.review import NeverShown
from screening.storage.database import DatabaseNotReady
from screening.storage.drafts import DraftMoved
from screening.storage.private_files import KeyFault
from screening.web import language

Page = str | Response | tuple[str, int]

BEGINNINGS = {"patient.begin", "patient.resume_by_code"}  # features add theirs

log = logging.getLogger("screening")


def init_app(app: Flask) -> None:
    """Register a page for each kind of error."""
    app.register_error_handler(DraftGone, partial(_page, 410, "draft_gone"))
    app.register_error_handler(DraftMoved, partial(_page, 410, "draft_moved"))
    app.register_error_handler(TooManyTries, partial(_page, 429, "too_many_tries"))
    app.register_error_handler(CSRFError, _form_expired)
    app.add_url_rule("/cookies", "cookies", _cookies)
    app.register_error_handler(SecurityError, _wrong_host)
    for impossible in (DataError, OverflowError, NeverShown, ParseException):
        app.register_error_handler(impossible, _impossible)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    app.logger.addFilter(_without_words)


def _page(
    status: int, name: str, _error: Exception | None = None, **values: object
) -> tuple[str, int]:
    if status == 500:  # the page must not query for the signed-in person: the database may be down
        g._login_user = current_app.login_manager.anonymous_user()  # type: ignore[attr-defined]
    return render_template(f"errors/{name}.html", status=status, **values), status


def _form_expired(error: CSRFError) -> Page:
    adapter = current_app.create_url_adapter(request)
    path = language.own_path(request.form.get("next", "/"))
    if adapter and adapter.test(method="GET"):
        path = request.path
    if not request.cookies:
        generate_csrf()  # sets a cookie; the next page sees whether the browser has kept it
        target = url_for("cookies", next=path, language=request.form.get("language"))
        return redirect(target, code=303)
    if request.endpoint in BEGINNINGS:  # pressed twice: the first press has begun a draft
        return redirect(path, code=303)
    return _page(400, "form_expired")


def _cookies() -> tuple[str, int]:
    """Show whether the browser keeps cookies, and what to do if not.

    The language is in the address: perhaps no cookie keeps it.
    """
    if request.args.get("language") in current_installation().languages:
        g.page_language = request.args["language"]
    return _page(200, "cookies", target=language.own_path(request.args.get("next", "/")))


def _wrong_host(error: SecurityError) -> tuple[str, int]:
    log.warning("request for a host other than that of public_url refused")
    # No template: it would need to build addresses for the host that was just refused.
    text = (
        "This address is not the one that this application serves.\n"
        "If you run it: set public_url in the settings to the address that people open.\n"
    )
    return text, 400


def _http_error(error: HTTPException) -> tuple[str, int]:
    return _page(error.code or 500, "http")


def _impossible(error: Exception) -> tuple[str, int]:
    """Answer 400 to a request that no page sends, such as one with too large a number."""
    log.warning("request refused: %s, endpoint %s", type(error).__name__, request.endpoint)
    db.session.rollback()  # PostgreSQL executes nothing more within this transaction
    return _http_error(BadRequest())


def _unexpected(error: Exception) -> tuple[str, int]:
    incident = secrets.token_hex(4)
    log.error("incident %s: %s", incident, _described(error))
    return _page(500, "unexpected", incident=incident)


def _described(error: BaseException) -> str:
    """Return what the log may have of an error.

    The message of a library's exception may quote what a patient typed: only its class and the
    lines of our code are logged. Our own exceptions name files and columns, never a person.
    """
    words = str(error) if isinstance(error, KeyFault | DatabaseNotReady) else type(error).__name__
    lines = " < ".join(reversed(lines_of_ours(error)))
    return f"{words}, endpoint {request.endpoint}, at {lines}"


def _without_words(record: logging.LogRecord) -> bool:
    """Describe an error that Flask logs itself: in an error page, or after a page was made."""
    if record.exc_info and record.exc_info[1]:
        record.msg = f"incident: {_described(record.exc_info[1])}"
        record.args = ()
        record.exc_info = None
    return True
