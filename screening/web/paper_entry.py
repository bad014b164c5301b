"""Type in a paper form: the patient's pages, for a draft of the person who types."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request
from flask import url_for as address
from flask_security import current_user
from werkzeug.wrappers import Response

from screening.domain.assessment import Screening
from screening.installation import current_installation
from screening.reports.paper import locale_of
from screening.reports.summary import translations
from screening.services import paper_entry
from screening.services.questionnaire import DraftGone
from screening.storage import records
from screening.storage.drafts import Typed
from screening.web import language
from screening.web.errors import Page
from screening.web.forms.paper_entry import PaperQuestionForm, PaperVisitForm
from screening.web.patient import views
from screening.web.patient.draft import AlreadySent, find_sent, record, this_draft
from screening.web.patient.draft_cookie import keep_draft
from screening.web.sign_in.guards import current_actor, forget_kept, kept_form, needs

blueprint = Blueprint("paper_entry", __name__, url_prefix="/clinic/paper/enter")
"""The patient's pages for one paper form; its language and number are in the addresses."""


@blueprint.url_value_preprocessor
def _take_place(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    place = {name: (values or {}).pop(name, "") for name in ("code", "number")}
    g.paper_place = place


@blueprint.url_defaults
def _give_place(endpoint: str, values: dict[str, Any]) -> None:
    if current_app.url_map.is_endpoint_expecting(endpoint, "number"):
        for name, value in g.get("paper_place", {}).items():
            values.setdefault(name, value)


def typed_in(view: Callable[..., Page]) -> Callable[..., Page]:
    """Return a page of the patient's way for the paper form of whoever is signed in."""

    @wraps(view)
    def of_paper(**values: str) -> Page:
        code = g.paper_place["code"]
        if code not in current_installation().languages:
            abort(404)
        g.page_language = code  # that of the paper
        g.shared_device = True  # the browser of staff has nothing to fill in for the patient
        g.forms_for_paper = (PaperQuestionForm, PaperVisitForm)
        g.paper_words = translations(current_installation().settings.clinic_language).gettext
        g.paper_token = paper_entry.token(current_installation().keys, current_user.id, _place())
        if kept := kept_form():
            typed = Typed(path=request.path, values=dict(kept.lists()), checked=False)
            record(lambda draft: replace(draft, typed=typed))
            forget_kept(request.path)
        return view(**values)

    return needs("prescriber", "staff")(of_paper)


def _place() -> str:
    return "{code}/{number}".format_map(g.paper_place)


@blueprint.get("")
@needs("prescriber", "staff")
def start() -> Page:
    """Show the paper forms that this person has begun, and offer to begin one."""
    forms = []
    for place, draft in paper_entry.begun(current_actor(), current_user.id):
        code, _slash, number = place.partition("/")
        forms.append((draft.patient, locale_of(code), {"code": code, "number": number}))
    return render_template("clinic/paper_entry.html", forms=forms, offered=language.offered())


@blueprint.post("")
@needs("prescriber", "staff")
def begin() -> Page:
    """Begin a paper form."""
    codes = current_installation().languages
    code = request.form.get("code", codes[0])
    if code not in codes:
        abort(400)
    number = secrets.token_hex(8)
    paper_entry.begin(current_actor(), current_user.id, f"{code}/{number}", keep=keep_draft())
    return redirect(address(".about_you", code=code, number=number), code=303)


for name, view in (
    ("about-you", views.about_you),
    ("questions/<question_id>", views.question),
    ("continue", views.resume),
):
    methods = ["GET"] if view is views.resume else ["GET", "POST"]
    rule = f"/<code>/<number>/{name}"
    blueprint.add_url_rule(rule, view.__name__, typed_in(view), methods=methods)


@blueprint.get("/<code>/<number>/stop")
@typed_in
def stop() -> Page:
    """Lead back to the list; what was typed is kept."""
    return redirect(address(".start"), code=303)


@blueprint.post("/<code>/<number>/delete")
@typed_in
def delete() -> Page:
    """Delete a form that was begun."""
    this_draft()  # raises where it is recorded already
    paper_entry.delete(current_actor(), current_user.id, _place())
    _ = g.paper_words
    return _to_start(_("The paper form was deleted."))


@blueprint.get("/<code>/<number>/check")
@typed_in
def check() -> Page:
    """Every answer for a second look, with a way to change it."""
    _ = g.paper_words
    faults = {
        "not-compared": _("Compare every answer with the paper, then tick the box"),
        "changed": _("The form has changed since. Compare it with the paper again"),
    }
    g.paper_fault = faults.get(request.args.get("fault", ""), "")
    g.paper_seen = _seen()
    return views.check()


def _seen() -> str:
    """Return what tells whether the form has changed since somebody looked at it."""
    draft = this_draft()
    return hashlib.sha256(records.encode([draft.patient, draft.answers])).hexdigest()


@blueprint.post("/<code>/<number>/submit")
@typed_in
def submit() -> Page:
    """Send a form that was compared with its paper as it is now."""
    if find_sent(at_any_time=True) is None:
        if "compared" not in request.form:
            return redirect(address(".check", fault="not-compared"), code=303)
        if request.form.get("seen") != _seen():
            return redirect(address(".check", fault="changed"), code=303)
    return _to_start(_recorded(views.send(current_actor())))


def _recorded(sent: Screening) -> str:
    _ = g.paper_words
    words = _("The paper form is recorded as %(reference)s. Write this on the paper.")
    return words % {"reference": sent.reference}


def _to_start(words: str) -> Response:
    flash(words)
    return redirect(address(".start"), code=303)


@blueprint.errorhandler(AlreadySent)
def _already_sent(_error: AlreadySent) -> Response:
    sent = find_sent(at_any_time=True)
    return _to_start(_recorded(sent) if sent else "")


@blueprint.errorhandler(DraftGone)
def _gone(_error: DraftGone) -> Response:
    _ = g.paper_words
    return _to_start(_("This paper form is not kept any more. Type it in again."))
