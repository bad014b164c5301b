"""Exceptions -> kind pages. What went wrong goes to the log, without anything personal; the page says what to do."""

import logging
import secrets

from flask import Flask, current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, generate_csrf
from sqlalchemy.exc import DataError
from werkzeug.exceptions import BadRequest, HTTPException, SecurityError
from werkzeug.wrappers import Response

from screening.extensions import db, installation, lines_of_ours
from screening.services.questionnaire import DraftGone, TooManyTries
from screening.services.review import NeverShown
from screening.storage.database import DatabaseNotReady
from screening.storage.drafts import DraftMoved
from screening.storage.encryption import KeyFault
from screening.web import language

Page = str | Response | tuple[str, int]

BEGINNINGS = ("patient.begin", "patient.resume_by_code", "invited.open_link")

log = logging.getLogger("screening")


def init_app(app: Flask) -> None:
    """Register a page for every error."""
    app.register_error_handler(DraftGone, _draft_gone)
    app.register_error_handler(DraftMoved, _draft_moved)
    app.register_error_handler(TooManyTries, _too_many_tries)
    app.register_error_handler(CSRFError, _form_expired)
    app.add_url_rule("/cookies", "cookies", _cookies)
    app.register_error_handler(SecurityError, _wrong_host)
    for impossible in (DataError, OverflowError, NeverShown):
        app.register_error_handler(impossible, _impossible)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def page(status: int, title: str, *paragraphs: str, action: str = "", target: str = "/") -> tuple[str, int]:
    """An error page with one button: its label and where it leads, by default to the start."""
    action = action or _("Go to the start")
    if status == 500:  # it must not ask the database who is signed in: that may be what is broken
        g._login_user = current_app.login_manager.anonymous_user()  # type: ignore[attr-defined]
    return render_template("errors/page.html", title=title, paragraphs=paragraphs, action=action, target=target), status


def _draft_gone(error: DraftGone) -> tuple[str, int]:
    return page(
        410,
        _("We cannot find your answers"),
        _(
            "To protect your privacy, we delete answers that were not sent after %(hours)s hours. "
            "This can also happen if your browser does not keep cookies.",
            hours=installation().settings.draft_hours,
        ),
        _("If you had pressed “Send to the clinic”, the clinic has your answers and you need not do this again."),
        _("If you had not, nothing was sent: please start again."),
        action=_("Start again"),
    )


def _draft_moved(error: DraftMoved) -> tuple[str, int]:
    return page(
        410,
        _("You went on with these questions on another device or in another browser"),
        _("Your answers are there. Nothing that was saved is lost, but the last page here was not saved."),
        _("To go on here instead, open the link from the clinic on this device and type your date of birth."),
        _("If you wrote down a code, you can also type it here: choose “Go on with my code” at the start."),
        _("If it was not you, tell the clinic."),
        action=_("Go to the start"),
    )


def _too_many_tries(error: TooManyTries) -> tuple[str, int]:
    return page(
        429,
        _("Please ask staff"),
        _("Very many forms were begun, or wrong codes typed, on this network within an hour, so we cannot go on."),
        _("Staff have the questions on paper, or you can try again in an hour."),
    )


def _form_expired(error: CSRFError) -> Page:
    adapter = current_app.create_url_adapter(request)
    here = request.path if adapter and adapter.test(method="GET") else language.own_path(request.form.get("next", "/"))
    if not request.cookies:
        generate_csrf()  # leaves a cookie; the next page sees whether the browser has kept it
        return redirect(url_for("cookies", next=here, language=request.form.get("language")), code=303)
    if request.endpoint in BEGINNINGS:  # pressed twice: what the first one began is there
        return redirect(here, code=303)
    return page(
        400,
        _("This page was open for too long"),
        _("We could not be sure that the answer came from you, so we did not save it."),
        _("Go back one page and try again. If that does not help, start again."),
    )


def _cookies() -> tuple[str, int]:
    """Whether the browser keeps cookies, and what to do if not. The address has the language, which no cookie keeps."""
    if request.args.get("language") in installation().languages:
        g.page_language = request.args["language"]
    target = language.own_path(request.args.get("next", "/"))
    if request.cookies:
        why = _("To keep your answers safe, we did not save the last page. Please fill it in again.")
        return page(200, _("This page was open for too long"), why, action=_("Go on"), target=target)
    return page(
        200,
        _("Your browser does not keep cookies"),
        _("A cookie is a small note that your browser keeps for us. Without it, we cannot keep your answers together."),
        _("Open the settings of your browser and allow cookies for this site. Then try again."),
        _("If you came here from a message, open the link in the browser of your phone, such as Chrome or Safari."),
        _("You can also answer on paper or by phone. Ask staff or call the clinic."),
        action=_("Try again"),
        target=target,
    )


def _wrong_host(error: SecurityError) -> tuple[str, int]:
    log.warning("request for a host other than that of public_url refused")
    # No template: it would need to build addresses for the host that was just refused.
    text = (
        "This address is not the one that this application serves.\n"
        "If you run it: set public_url in the settings to the address that people open.\n"
    )
    return text, 400


def _http_error(error: HTTPException) -> tuple[str, int]:
    status = error.code or 500
    if status == 403:
        title, why = _("Your role does not allow this page"), _("An admin at the clinic can change what you can open.")
        return page(403, title, why, action=_("Go to the inbox"), target="/clinic/")
    if status == 404:
        return page(404, _("This page does not exist"), _("Check the address."))
    if status == 413:
        return page(413, _("That is too much text"), _("Go back and write a little less."))
    if status == 405:
        return page(405, _("This page cannot be opened that way"))
    return page(status, _("Something was wrong with that request"))


def _impossible(error: Exception) -> tuple[str, int]:
    """What no page of ours sends: a character or a number that no database keeps, an entry that nobody made."""
    log.warning("request refused: %s, endpoint %s", type(error).__name__, request.endpoint)
    db.session.rollback()  # PostgreSQL answers nothing more within this transaction
    return _http_error(BadRequest())


def _unexpected(error: Exception) -> tuple[str, int]:
    incident = secrets.token_hex(4)
    # The words of other people's exceptions may quote what a patient typed: only their kind and our own lines are
    # logged. Our own faults name files and columns, never a person.
    words = str(error) if isinstance(error, KeyFault | DatabaseNotReady) else type(error).__name__
    lines = " < ".join(reversed(lines_of_ours(error)))
    log.error("incident %s: %s, endpoint %s, at %s", incident, words, request.endpoint, lines)
    return page(
        500,
        _("Something went wrong on our side"),
        _("Your last answer may not be saved. Everything before it is. Please go back and try again."),
        _("If it happens again, tell the staff this number: %(incident)s", incident=incident),
    )
