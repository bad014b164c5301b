"""The patient's way: start, about you, one question per page, check, send, done."""

from collections.abc import Callable
from dataclasses import replace

from flask import Blueprint, abort, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.installation import installation
from screening.reports import paper
from screening.reports.paper import follow_up_places
from screening.reports.summary import day
from screening.services import questionnaire
from screening.settings import LOOPBACK
from screening.storage import drafts
from screening.storage.drafts import Draft, Typed
from screening.web import language
from screening.web.errors import Page
from screening.web.forms.about_you import AboutYouForm
from screening.web.forms.questions import QuestionForm, question_form
from screening.web.patient.draft import (
    AlreadySent,
    OutOfOrder,
    acting,
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
    refuse_to_skip,
    way_out,
)

blueprint = Blueprint("patient", __name__)


@blueprint.get("/")
def start() -> Page:
    """What this is, why, how long it takes and who reads it."""
    in_progress = find_draft() is not None
    sent = not in_progress and find_sent() is not None
    # a code typed wrong is nearly a right one: the next person should not see it
    session.pop("code", None)
    return render_template(
        "patient/start.html", in_progress=in_progress, sent=sent, book=language.book()
    )


@blueprint.post("/")
def begin() -> Page:
    """Begin a new questionnaire."""
    address = request.remote_addr or ""
    token = questionnaire.begin(
        acting(), address="" if address in LOOPBACK else address, keep=keep_draft()
    )
    session["language"] = language.chosen()
    forget_in_session(PROOFS)
    return remember(token, url_for("patient.about_you"))


@blueprint.get("/continue")
def resume() -> Page:
    """Lead to the page with typed words that are not an answer yet, or else to the next step."""
    draft = this_draft()
    pages = [url_for(".question", question_id=one.id) for one in language.book().questions]
    is_there = draft.typed is not None and draft.typed.path in (
        url_for(".about_you"),
        *pages,
    )
    return redirect(draft.typed.path if draft.typed and is_there else next_step(draft), code=303)


@blueprint.route("/code", methods=["GET", "POST"])
def resume_by_code() -> Page:
    """Go on with the answers of a code.

    There is no draft yet: what was refused is in the session.
    """
    if not installation().settings.continue_codes:
        abort(404)
    typed, refused = session.get("code", ("", False))
    if request.method == "POST":
        given = request.form.get("code", "")[:40]
        switched = language.switch()
        address = request.remote_addr or ""
        if not switched and (
            token := questionnaire.go_on(acting(), given, address=address, keep=keep_draft())
        ):
            session.update(language=language.chosen(), code=("", False))
            forget_in_session(PROOFS)
            return remember(token, url_for("patient.resume"))
        session["code"] = [given, not switched or (refused and given == typed)]
        return redirect(request.path, code=303)
    return render_template(
        "patient/code.html", typed=typed, refused=refused, others=find_draft() is not None
    )


@blueprint.route("/about-you", methods=["GET", "POST"])
def about_you() -> Page:
    """Name, date of birth, visit reference."""
    draft = this_draft()
    back = url_for(".check") if is_complete(draft) else url_for(".start")
    offered = installation().settings.languages
    typed = _typed(draft)
    _question_form, about_form = _forms()
    if request.method == "POST":
        form = about_form.filled_with(None, request.form)
        if not language.switch() and form.check(languages=offered, today=installation().today()):
            return _accepted(lambda draft: replace(draft, patient=form.patient), back, next_step)
        return _not_accepted(draft, back)
    form = about_form.filled_with(draft.patient, MultiDict(typed.values) if typed else None)
    if typed and typed.checked:
        form.check(languages=offered, today=installation().today())
    return render_template(
        "patient/about_you.html", form=form, who=paper.respondent_choices(language.chosen())
    )


@blueprint.route("/questions/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> Page:
    """One question of the rule book with its follow-ups."""
    draft = this_draft()
    book = language.book()
    asked = book.question(question_id) or abort(404)
    refuse_to_skip(draft, asked)
    back = page_before(draft, asked)
    typed = _typed(draft)
    page_form, _about_form = _forms()
    if request.method == "POST":
        # Worded as the patient saw it, even if another tab has switched the language since.
        seen = installation().books.get(request.form.get("shown_in", ""), book)
        form = question_form(
            page_form, seen, seen.question(question_id) or abort(404), request.form
        )
        if not language.switch() and form.validate():
            return _accepted(
                lambda draft: draft.with_page(asked, form.answers, left_empty=form.may_lack),
                back,
                lambda draft: next_step(draft, after=asked),
            )
        return _not_accepted(draft, back)
    form = question_form(
        page_form,
        book,
        asked,
        MultiDict(typed.values) if typed else None,
        draft.answers,
        left_empty=asked.id in draft.left_empty,
    )
    if typed and typed.checked:
        form.validate()
    return render_template(
        "patient/question.html",
        form=form,
        question=asked,
        follow_ups=follow_up_places(asked),
        number=book.questions.index(asked) + 1,
        total=len(book.questions),
        proxy_for=draft.patient.name if draft.patient and draft.patient.proxy else "",
    )


def _forms() -> tuple[type[QuestionForm], type[AboutYouForm]]:
    """Return the kinds of forms of these pages; staff who type in a paper form have their own."""
    return g.get("forms_for_paper", (QuestionForm, AboutYouForm))


def _typed(draft: Draft) -> Typed | None:
    """What was typed on this page and is not an answer yet."""
    return draft.typed if draft.typed and draft.typed.path == request.path else None


def _accepted(
    change: Callable[[Draft], Draft], back: str, following: Callable[[Draft], str]
) -> Response:
    """Save what is acceptable and lead on."""
    record(lambda draft: replace(change(draft), typed=None if _typed(draft) else draft.typed))
    return remember(draft_token(), way_out(back) or following(this_draft()))


def _not_accepted(draft: Draft, back: str) -> Response:
    """Keep what was refused, or typed before Stop or a change of language, and show the page after a redirect.

    After a redirect, the browser's own Back and reload never ask whether a form is to be sent once
    more.
    """
    switched = "language" in request.form
    earlier = _typed(draft)
    unkept = ("csrf_token", "language", "stop", "page-")
    values = {name: given for name, given in request.form.lists() if not name.startswith(unkept)}
    checked = not (switched or "stop" in request.form) or bool(earlier and earlier.checked)
    typed = (
        None if "back" in request.form else Typed(path=request.path, values=values, checked=checked)
    )
    record(lambda draft: replace(draft, typed=typed))
    return remember(draft_token(), way_out(back) or request.path)


@blueprint.get("/check")
def check() -> Page:
    """Every answer with a way to change it."""
    draft = this_draft()
    if draft.patient is None or not is_complete(draft):
        raise OutOfOrder
    patient = draft.patient
    change = url_for(".about_you")
    known = paper.about_patient(patient, language.chosen(), installation().settings)
    about = [(name, value, change) for name, value in known]
    if chosen := paper.respondent_chosen(patient, language.chosen()):
        about.append((_("Who is filling this in?"), chosen, change))
    if patient.paper:
        filled_in_on = day(patient.paper.filled_in_at.date(), language.chosen())
        about.append((_("Date on the paper"), filled_in_on, change))
    rows = [
        (asked, answer, url_for(".question", question_id=question.id))
        for question, asked, answer in paper.asked_and_answered(draft.answers, language.book())
    ]
    private = paper.private_label(language.book())
    return render_template(
        "patient/check.html", about=about, rows=rows, private=private, proxy=patient.proxy
    )


@blueprint.post("/submit")
def submit() -> Page:
    """Send the answers to the clinic."""
    here = installation()
    try:
        questionnaire.submit(
            acting(), draft_token(), here.books, language.chosen(), jobs=here.jobs_of_sent
        )
    except questionnaire.Incomplete as err:
        raise OutOfOrder from err
    here.wake()
    return remember(draft_token(), url_for(".done"))


@blueprint.get("/done")
def done() -> Page:
    """The reference and what happens next. The same for everyone."""
    return render_template("patient/done.html", screening=what_was_sent())


@blueprint.route("/stop", methods=["GET", "POST"])
def stop() -> Page:
    """Tell for how long the answers are kept, and offer to delete them or to note a code."""
    draft = this_draft()
    draft_hash = drafts.hash_token(draft_token())
    codes = (
        installation().settings.continue_codes
        and not draft.replaces
        and not any(owns(db.session, draft_hash) for owns in installation().points.draft_owners)
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
    """Forget this patient on this device; a draft that was not sent is deleted.

    Raises DraftMoved.
    """
    find_draft_here()  # one that went on elsewhere is not deleted here
    sent = find_sent(at_any_time=True) is not None
    questionnaire.discard(acting(), draft_token())
    return forget(redirect(url_for("patient.finished" if sent else "patient.deleted"), code=303))


@blueprint.get("/finished")
def finished() -> Page:
    """Tell that all is done."""
    return render_template("patient/finished.html")


@blueprint.get("/deleted")
def deleted() -> Page:
    """Tell that nothing was sent."""
    return render_template("patient/deleted.html")


@blueprint.app_errorhandler(OutOfOrder)
def _out_of_order(error: OutOfOrder) -> Page:
    return render_template("patient/out_of_order.html", target=next_step(this_draft())), 409


@blueprint.app_errorhandler(AlreadySent)
def _already_sent(error: AlreadySent) -> Page:
    return render_template("patient/already_sent.html", sent=find_sent()), 409
