"""The patient's pages: start, about you, one question per page, check, send, done."""

from collections.abc import Callable
from dataclasses import replace

from flask import Blueprint, abort, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.answers import Patient
from screening.domain.assessment import Screening
from screening.extensions import db
from screening.installation import current_installation
from screening.reports import paper
from screening.reports.paper import follow_up_places
from screening.reports.summary import day
from screening.services import questionnaire
from screening.services.attempts import network
from screening.settings import LOOPBACK
from screening.storage import drafts
from screening.storage.audit import Actor
from screening.storage.drafts import Draft, Typed
from screening.storage.search import is_same_person
from screening.web import language
from screening.web.errors import Page
from screening.web.forms.about_you import AboutYouForm
from screening.web.forms.questions import QuestionForm, question_form
from screening.web.patient.draft import (
    AlreadySent,
    OutOfOrder,
    current_actor,
    find_draft,
    find_draft_here,
    find_sent,
    record,
    this_draft,
    what_was_sent,
)
from screening.web.patient.draft_cookie import (
    PROOFS,
    draft_token,
    forget,
    forget_in_session,
    keep_draft,
    remember,
)
from screening.web.patient.steps import (
    is_complete,
    next_step,
    page_before,
    pressed_target,
    refuse_to_skip,
)

blueprint = Blueprint("patient", __name__)


@blueprint.get("/")
def start() -> Page:
    """Show what the questions are for, how long they take and who reads the answers."""
    in_progress = find_draft() is not None
    sent = not in_progress and find_sent() is not None
    # A mistyped code is nearly a valid one: the next person must not see it.
    session.pop("code", None)
    return render_template(
        "patient/start.html", in_progress=in_progress, sent=sent, book=language.book()
    )


@blueprint.post("/")
def begin() -> Page:
    """Begin a new questionnaire."""
    address = request.remote_addr or ""
    if network(address) in LOOPBACK:
        address = ""
    token = questionnaire.begin(current_actor(), address=address, keep=keep_draft())
    session["language"] = language.chosen()
    forget_in_session(PROOFS)
    return remember(token, url_for("patient.about_you"))


@blueprint.get("/continue")
def resume() -> Page:
    """Redirect to the page whose input was not accepted yet, or else to the next step."""
    draft = this_draft()
    book = language.book()
    pages = [url_for(".about_you")]
    for question in book.questions:
        pages.append(url_for(".question", question_id=question.id))
    is_typed = draft.typed is not None and draft.typed.path in pages
    target = draft.typed.path if draft.typed and is_typed else next_step(draft, book)
    return redirect(target, code=303)


@blueprint.route("/code", methods=["GET", "POST"])
def resume_by_code() -> Page:
    """Continue with the answers of a code.

    There is no draft yet: the session keeps a code that was refused.
    """
    if not current_installation().settings.continue_codes:
        abort(404)
    typed, refused = session.get("code", ("", False))
    if request.method == "POST":
        code = request.form.get("code", "")[:40]
        switched = language.switch()
        address = request.remote_addr or ""
        if not switched and (
            token := questionnaire.go_on(current_actor(), code, address=address, keep=keep_draft())
        ):
            session.update(language=language.chosen(), code=("", False))
            forget_in_session(PROOFS)
            return remember(token, url_for("patient.resume"))
        session["code"] = [code, not switched or (refused and code == typed)]
        return redirect(request.path, code=303)
    return render_template(
        "patient/code.html", typed=typed, refused=refused, others=find_draft() is not None
    )


@blueprint.route("/about-you", methods=["GET", "POST"])
def about_you() -> Page:
    """Ask for name, date of birth and visit reference."""
    draft = this_draft()
    book = language.book()
    back = url_for(".check" if is_complete(draft, book) else ".start")
    offered = current_installation().settings.languages
    typed = _typed(draft)
    _question_form, about_form = _forms()
    if request.method == "POST":
        form = about_form.filled_with(None, request.form)
        if not language.switch() and form.check(
            languages=offered, today=current_installation().today()
        ):
            known = _known_otherwise(draft, form.patient)
            if known is None or form.settle(known):
                return _accepted(
                    lambda draft: replace(draft, patient=form.patient),
                    back,
                    lambda draft: next_step(draft, book),
                )
        return _not_accepted(draft, back)
    form = about_form.filled_with(draft.patient, MultiDict(typed.values) if typed else None)
    known = None
    if (
        typed
        and typed.checked
        and form.check(languages=offered, today=current_installation().today())
    ):
        known = _known_otherwise(draft, form.patient)
        if known is not None:
            form.settle(known)
    return render_template(
        "patient/about_you.html",
        form=form,
        known=known,
        who=paper.respondent_choices(language.chosen()),
    )


def _known_otherwise(draft: Draft, patient: Patient) -> Patient | None:
    """Return the patient whom the clinic knows behind a draft, if that is another one.

    What was settled before is not asked again.
    """
    if draft.patient is not None and is_same_person(draft.patient, patient):
        return None
    draft_hash = drafts.hash_token(draft_token())
    for known_patient in current_installation().points.known_patients:
        known = known_patient(draft_hash, draft.replaces)
        if known is not None and not is_same_person(known, patient):
            return known
    return None


@blueprint.route("/questions/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> Page:
    """Ask one question of the rule book with its follow-ups."""
    draft = this_draft()
    book = language.book()
    question = book.question(question_id) or abort(404)
    refuse_to_skip(draft, book, question)
    back = page_before(draft, book, question)
    typed = _typed(draft)
    page_form, _about_form = _forms()
    if request.method == "POST":
        # In the wording that the patient saw, even if another tab has switched the language since.
        seen = current_installation().books.get(request.form.get("shown_in", ""), book)
        shown = seen.question(question_id) or abort(404)
        form = question_form(page_form, seen, shown, request.form)
        if not language.switch() and form.validate():
            return _accepted(
                lambda draft: draft.with_page(question, form.answers, left_empty=form.may_lack),
                back,
                lambda draft: next_step(draft, book, after=question),
            )
        return _not_accepted(draft, back)
    values: MultiDict[str, str] | None = MultiDict(typed.values) if typed else None
    is_empty = question.id in draft.left_empty
    form = question_form(page_form, book, question, values, draft.answers, left_empty=is_empty)
    if typed and typed.checked:
        form.validate()
    return render_template(
        "patient/question.html",
        form=form,
        question=question,
        follow_ups=follow_up_places(question),
        number=book.questions.index(question) + 1,
        total=len(book.questions),
        proxy_for=draft.patient.name if draft.patient and draft.patient.proxy else "",
    )


def _forms() -> tuple[type[QuestionForm], type[AboutYouForm]]:
    """Return the kinds of forms of these pages; staff who type in a paper form have their own."""
    return g.get("forms_for_paper", (QuestionForm, AboutYouForm))


def _typed(draft: Draft) -> Typed | None:
    """Return the input on this page that was not accepted yet."""
    return draft.typed if draft.typed and draft.typed.path == request.path else None


def _accepted(
    change: Callable[[Draft], Draft], back: str, following: Callable[[Draft], str]
) -> Response:
    """Save an accepted change and redirect: to `back` or Stop where pressed, or else onwards."""
    record(lambda draft: replace(change(draft), typed=None if _typed(draft) else draft.typed))
    return remember(draft_token(), pressed_target(back) or following(this_draft()))


def _not_accepted(draft: Draft, back: str) -> Response:
    """Keep input that was refused, or typed before Stop or a change of language, and redirect.

    After a redirect, the browser's own Back and reload never ask whether to send a form again.
    """
    switched = "language" in request.form
    earlier = _typed(draft)
    unkept = ("csrf_token", "language", "stop", "page-")
    values = {name: sent for name, sent in request.form.lists() if not name.startswith(unkept)}
    checked = not (switched or "stop" in request.form) or bool(earlier and earlier.checked)
    typed = None
    if "back" not in request.form:
        typed = Typed(path=request.path, values=values, checked=checked)
    record(lambda draft: replace(draft, typed=typed))
    return remember(draft_token(), pressed_target(back) or request.path)


@blueprint.get("/check")
def check() -> Page:
    """Show every answer with a link to change it."""
    draft = this_draft()
    book = language.book()
    if draft.patient is None or not is_complete(draft, book):
        raise OutOfOrder
    patient = draft.patient
    change = url_for(".about_you")
    particulars = paper.about_patient(patient, language.chosen(), current_installation().settings)
    about = [(name, value, change) for name, value in particulars]
    if chosen := paper.respondent_chosen(patient, language.chosen()):
        about.append((_("Who is filling this in?"), chosen, change))
    if patient.paper:
        filled_in_on = day(patient.paper.filled_in_at.date(), language.chosen())
        about.append((_("Date on the paper"), filled_in_on, change))
    rows = []
    for question, asked, answer in paper.asked_and_answered(draft.answers, book):
        rows.append((asked, answer, url_for(".question", question_id=question.id)))
    private = paper.private_label(book)
    return render_template(
        "patient/check.html", about=about, rows=rows, private=private, proxy=patient.proxy
    )


@blueprint.post("/submit")
def submit() -> Page:
    """Send the answers to the clinic."""
    send(current_actor())
    return remember(draft_token(), url_for(".done"))


def send(actor: Actor) -> Screening:
    """Turn this draft into a screening. Raises OutOfOrder, AlreadySent, DraftGone."""
    installation = current_installation()
    try:
        screening = questionnaire.submit(
            actor,
            draft_token(),
            installation.books,
            language.chosen(),
            jobs=installation.jobs_of_sent,
        )
    except questionnaire.Incomplete as err:
        raise OutOfOrder from err
    installation.wake()
    return screening


@blueprint.get("/done")
def done() -> Page:
    """Show the reference and what happens next. The page is the same for every outcome."""
    return render_template("patient/done.html", screening=what_was_sent())


@blueprint.route("/stop", methods=["GET", "POST"])
def stop() -> Page:
    """Show for how long the answers are kept, and offer to delete them or to write down a code."""
    draft = this_draft()
    draft_hash = drafts.hash_token(draft_token())
    codes = (
        current_installation().settings.continue_codes
        and not draft.replaces
        and not any(
            owns(db.session, draft_hash) for owns in current_installation().points.draft_owners
        )
    )
    if request.method == "POST" and codes:
        record(lambda draft: replace(draft, code=draft.code or drafts.new_code()))
        return remember(draft_token(), request.path)
    return render_template("patient/stop.html", codes=codes, code=draft.code)


@blueprint.get("/delete")
def delete() -> Page:
    """Ask before the answers are deleted."""
    this_draft()
    return render_template("patient/delete.html")


@blueprint.post("/finish")
def finish() -> Page:
    """Delete this patient's data on this device, and a draft that was not sent.

    Raises DraftMoved.
    """
    find_draft_here()  # raises where another device has taken the draft over: it is not deleted
    sent = find_sent(at_any_time=True) is not None
    questionnaire.discard(current_actor(), draft_token())
    return forget(redirect(url_for("patient.finished" if sent else "patient.deleted"), code=303))


@blueprint.get("/finished")
def finished() -> Page:
    """Show that the page can be closed."""
    return render_template("patient/finished.html")


@blueprint.get("/deleted")
def deleted() -> Page:
    """Show that the answers were deleted and nothing was sent."""
    return render_template("patient/deleted.html")


@blueprint.app_errorhandler(OutOfOrder)
def _out_of_order(error: OutOfOrder) -> Page:
    target = next_step(this_draft(), language.book())
    return render_template("patient/out_of_order.html", target=target), 409


@blueprint.app_errorhandler(AlreadySent)
def _already_sent(error: AlreadySent) -> Page:
    return render_template("patient/already_sent.html", sent=find_sent()), 409
