"""The patient's way: start, about you, one question per page, check, send, done, own copy, leaflet."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO

from flask import Blueprint, abort, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.assessment import Screening
from screening.domain.rules import Question, RuleBook
from screening.extensions import db, installation
from screening.reports import paper
from screening.reports.paper import follow_up_places
from screening.reports.press import PrintingFailed
from screening.services import questionnaire, texts
from screening.services.questionnaire import DraftGone
from screening.settings import LOOPBACK
from screening.storage import drafts, screenings
from screening.storage.audit import Act
from screening.storage.drafts import Draft, DraftMoved, Typed
from screening.storage.tables import InvitationRow, ScreeningRow
from screening.web import language
from screening.web.device import draft_token, forget, keep_copy, keep_draft, remember
from screening.web.errors import Page
from screening.web.forms.about_you import AboutYouForm
from screening.web.forms.questions import QuestionForm, question_form

blueprint = Blueprint("patient", __name__)


SHORTLY = 2  # seconds after which a page asks again for a PDF that is being made
_patients_turn = threading.Lock()


class OutOfOrder(Exception):
    """A step was opened before the ones it needs."""


class AlreadySent(Exception):
    """The answers of this patient are with the clinic and cannot be changed here."""


@blueprint.get("/")
def start() -> Page:
    """What this is, why, how long it takes and who reads it."""
    in_progress = find_draft() is not None
    sent = not in_progress and _find_sent() is not None
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
    session.pop("proved", None)
    return remember(token, url_for("patient.about_you"))


@blueprint.get("/continue")
def resume() -> Page:
    """Go on where the questionnaire was left: where something was typed that is not an answer yet, or the next step."""
    draft = _draft()
    pages = [url_for("patient.question", question_id=one.id) for one in language.book().questions]
    is_there = draft.typed is not None and draft.typed.path in (
        url_for("patient.about_you"),
        *pages,
    )
    return redirect(draft.typed.path if draft.typed and is_there else _next_step(draft), code=303)


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
            session.update(language=language.chosen(), code=("", False), proved=("", 0))
            return remember(token, url_for("patient.resume"))
        session["code"] = [given, not switched or (refused and given == typed)]
        return redirect(request.path, code=303)
    return render_template(
        "patient/code.html", typed=typed, refused=refused, others=find_draft() is not None
    )


@blueprint.route("/about-you", methods=["GET", "POST"])
def about_you() -> Page:
    """Name, date of birth, visit reference."""
    draft = _draft()
    back = url_for("patient.check") if _complete(draft) else url_for("patient.start")
    offered = installation().settings.languages
    typed = _typed(draft)
    if request.method == "POST":
        form = AboutYouForm.filled_with(None, request.form)
        if not language.switch() and form.check(languages=offered, today=today()):
            return _accepted(lambda draft: replace(draft, patient=form.patient), back, _next_step)
        return _not_accepted(draft, back)
    form = AboutYouForm.filled_with(draft.patient, MultiDict(typed.values) if typed else None)
    if typed and typed.checked:
        form.check(languages=offered, today=today())
    return render_template(
        "patient/about_you.html", form=form, who=paper.respondent_choices(language.chosen())
    )


@blueprint.route("/questions/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> Page:
    """One question of the rule book with its follow-ups."""
    draft = _draft()
    book = language.book()
    asked = book.question(question_id) or abort(404)
    _refuse_to_skip(draft, asked)
    back = _before(draft, asked)
    typed = _typed(draft)
    if request.method == "POST":
        # Worded as the patient saw it, even if another tab has switched the language since.
        seen = installation().books.get(request.form.get("shown_in", ""), book)
        form = question_form(
            QuestionForm, seen, seen.question(question_id) or abort(404), request.form
        )
        if not language.switch() and form.validate():
            return _accepted(
                lambda draft: replace(draft, answers=draft.answers.with_page(asked, form.answers)),
                back,
                lambda draft: _next_step(draft, after=asked),
            )
        return _not_accepted(draft, back)
    form = question_form(
        QuestionForm, book, asked, MultiDict(typed.values) if typed else None, draft.answers
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


def _typed(draft: Draft) -> Typed | None:
    """What was typed on this page and is not an answer yet."""
    return draft.typed if draft.typed and draft.typed.path == request.path else None


def _accepted(
    change: Callable[[Draft], Draft], back: str, following: Callable[[Draft], str]
) -> Response:
    """Save what is acceptable and lead on."""
    _record(lambda draft: replace(change(draft), typed=None if _typed(draft) else draft.typed))
    return remember(draft_token(), _way_out(back) or following(_draft()))


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
    _record(lambda draft: replace(draft, typed=typed))
    return remember(draft_token(), _way_out(back) or request.path)


@blueprint.get("/check")
def check() -> Page:
    """Every answer with a way to change it."""
    draft = _draft()
    if draft.patient is None or not _complete(draft):
        raise OutOfOrder
    patient = draft.patient
    change = url_for("patient.about_you")
    known = paper.about_patient(patient, language.chosen(), installation().settings)
    about = [(name, value, change) for name, value in known]
    if chosen := paper.respondent_chosen(patient, language.chosen()):
        about.append((_("Who is filling this in?"), chosen, change))
    rows = [
        (asked, answer, url_for("patient.question", question_id=question.id))
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
    return remember(draft_token(), url_for("patient.done"))


@blueprint.get("/done")
def done() -> Page:
    """The reference and what happens next. The same for everyone."""
    return render_template("patient/done.html", screening=_sent())


@blueprint.get("/copy")
def copy() -> Page:
    """The patient's own record of the answers."""
    return copy_page(
        _sent(), language.book(), back=url_for("patient.done"), pdf=url_for("patient.copy_pdf")
    )


@blueprint.get("/copy.pdf")
def copy_pdf() -> Page:
    """The same as a PDF."""
    return in_turn(lambda: copy_response(_sent(), language.book()), back=url_for("patient.copy"))


def copy_response(screening: Screening, book: RuleBook) -> Response:
    """The patient's copy as a PDF. Raises PrintingFailed."""
    here = installation()
    if _with_answers():
        content = here.printer.copy(screening, book)
    else:
        db.session.rollback()  # nobody should wait for what is being printed
        content = paper.copy(screening, book, here.settings, answers=False).content
    return pdf_response(content, f"answers-{screening.reference}.pdf")


def _with_answers() -> bool:
    """Whether a copy has the answers; those who share a phone may ask for one that has none."""
    return request.args.get("answers") != "no"


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


@blueprint.get("/paper/<kind>/<code>.pdf")
def blank(kind: str, code: str) -> Page:
    """The form for a pen, or the leaflet, in a language; some in large print."""
    here = installation()
    if kind not in paper.BLANKS or code not in here.languages:
        abort(404)

    def make() -> Response:
        return pdf_response(
            paper.blank(kind, here.books[code], here.settings), f"{kind}-{code}.pdf"
        )

    return in_turn(make, back=url_for("patient.start"))


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


@blueprint.get("/leaflet")
def leaflet() -> Page:
    """What the rule book tells patients about the medicine."""
    return render_template("patient/leaflet.html", book=language.book())


@blueprint.route("/stop", methods=["GET", "POST"])
def stop() -> Page:
    """Tell that the answers are kept, and for how long; they can be deleted, or a code be noted for another device."""
    draft = _draft()
    by_link = select(InvitationRow.id).where(
        InvitationRow.draft_hash == drafts.hash_token(draft_token())
    )
    codes = (
        installation().settings.continue_codes
        and not draft.replaces
        and db.session.scalar(by_link) is None
    )
    if request.method == "POST" and codes:
        _record(lambda draft: replace(draft, code=draft.code or drafts.new_code()))
        return remember(draft_token(), request.path)
    return render_template("patient/stop.html", codes=codes, code=draft.code)


@blueprint.get("/delete")
def delete() -> Page:
    """Ask before the answers are deleted."""
    _draft()
    return render_template("patient/delete.html")


@blueprint.get("/privacy")
def privacy() -> Page:
    """What the clinic does with the answers, in its own words."""
    return render_template("patient/privacy.html") if _own_words("privacy") else abort(404)


@blueprint.app_template_global("own_words")
def _own_words(place: str) -> Markup:
    """What the clinic says in this place in the language of the page."""
    return Markup(texts.html(installation().settings.instance, place, language.chosen()))  # noqa: S704 - no raw HTML in it


@blueprint.post("/finish")
def finish() -> Page:
    """Forget this patient on this device; a draft that was not sent is deleted.

    Raises DraftMoved.
    """
    _find_draft()  # one that went on elsewhere is not deleted here
    sent = _find_sent(at_any_time=True) is not None
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


@blueprint.errorhandler(OutOfOrder)
def _out_of_order(error: OutOfOrder) -> Page:
    return render_template("patient/out_of_order.html", target=_next_step(_draft())), 409


@blueprint.errorhandler(AlreadySent)
def _already_sent(error: AlreadySent) -> Page:
    return render_template("patient/already_sent.html", sent=_find_sent()), 409


def _now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    """The day at the clinic."""
    return installation().today()


def acting(by: str = "patient") -> Act:
    """What a patient, or whoever has a tablet that patients take in turn, does now."""
    return Act(session=db.session, keys=installation().keys, now=_now(), by=by)


def _record(change: Callable[[Draft], Draft]) -> None:
    questionnaire.record(acting(), draft_token(), change, keep=keep_draft())


def find_draft() -> Draft | None:
    """This patient's draft, or None if there is none here."""
    with suppress(DraftMoved):
        return _find_draft()
    return None


def _find_draft() -> Draft | None:
    """The draft, without answers to questions whose wording has changed since.

    Raises DraftMoved.
    """
    if not draft_token():
        return None
    here = installation()
    draft = drafts.find(db.session, here.keys, drafts.hash_token(draft_token()), now=_now())
    return draft and replace(draft, answers=draft.answers.still_asked(here.books))


def is_here() -> bool:
    """Whether this device has a draft, or something sent that it may still show."""
    return find_draft() is not None or _find_sent() is not None


def _draft() -> Draft:
    """This patient's draft.

    Raises AlreadySent where it has become a screening, DraftMoved, DraftGone.
    """
    draft = _find_draft()
    if draft is None:
        raise AlreadySent if _find_sent(at_any_time=True) else DraftGone
    return draft


def _find_sent(*, at_any_time: bool = False) -> Screening | None:
    """What this patient has sent from this device within `copy_minutes` (or at any time), or None."""
    if not draft_token():
        return None
    here = installation()
    conditions = [ScreeningRow.draft_hash == drafts.hash_token(draft_token())]
    if not at_any_time:
        conditions.append(ScreeningRow.submitted_at > _now() - keep_copy())
    return screenings.find(db.session, here.keys, *conditions)


def _sent() -> Screening:
    """What this patient has just sent.

    Raises OutOfOrder before, AlreadySent after its time, DraftGone without any.
    """
    screening = _find_sent()
    if screening is None:
        _draft()
        raise OutOfOrder
    return screening


def _complete(draft: Draft) -> bool:
    return draft.patient is not None and draft.answers.open_question(language.book()) is None


def _refuse_to_skip(draft: Draft, asked: Question) -> None:
    """Raise OutOfOrder for a question beyond the first one that is not answered yet."""
    questions = language.book().questions
    first_open = draft.answers.open_question(language.book())
    if draft.patient is None or (
        first_open and questions.index(asked) > questions.index(first_open)
    ):
        raise OutOfOrder


def _before(draft: Draft, asked: Question) -> str:
    """Where Back leads from a question: the page before it, or the check page where everything is answered."""
    questions = language.book().questions
    if _complete(draft):
        return url_for("patient.check")
    if asked == questions[0]:
        return url_for("patient.about_you")
    return url_for("patient.question", question_id=questions[questions.index(asked) - 1].id)


def _next_step(draft: Draft, *, after: Question | None = None) -> str:
    """Where to go: the page after the one just saved while there are open ones, then the check page."""
    if draft.patient is None:
        return url_for("patient.about_you")
    questions = language.book().questions
    first_open = draft.answers.open_question(language.book())
    if first_open is None:
        return url_for("patient.check")
    place = questions.index(first_open)
    if after is not None:
        place = min(place, questions.index(after) + 1)
    return url_for("patient.question", question_id=questions[place].id)


def _way_out(back: str) -> str:
    """Where to go if Back or Stop was pressed: what is acceptable is saved."""
    if "stop" in request.form:
        return url_for("patient.stop")
    return back if "back" in request.form else ""


def copy_page(screening: Screening, book: RuleBook, *, back: str, pdf: str) -> str:
    """The patient's record of the answers, without any outcome.

    `back` is where it was opened from.
    """
    about = [
        (name, value, "")
        for name, value in paper.particulars(screening, book, installation().settings)
    ]
    answered = paper.asked_and_answered(screening.answers, book) if _with_answers() else ()
    rows = [(asked, answer, "") for _question, asked, answer in answered]
    private = paper.private_label(book)
    pdf = pdf if _with_answers() else f"{pdf}?answers=no"
    return render_template(
        "patient/copy.html", about=about, rows=rows, back=back, pdf=pdf, private=private
    )
