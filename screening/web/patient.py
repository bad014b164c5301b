"""The patient's way: start, about you, one question per page, check, send, done, own copy, leaflet."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

from flask import Blueprint, abort, g, redirect, render_template, request, send_file, session, url_for
from flask_babel import format_date
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.wrappers import Response

from screening.domain.assessment import Screening
from screening.domain.rules import Question, RuleBook
from screening.extensions import db, installation
from screening.reports import paper
from screening.reports.paper import follow_up_places
from screening.reports.press import PrintingFailed
from screening.services import questionnaire, tablet, texts
from screening.services.questionnaire import DraftGone
from screening.settings import LOOPBACK
from screening.storage import drafts, screenings
from screening.storage.audit import Act
from screening.storage.drafts import Draft
from screening.storage.tables import ScreeningRow
from screening.web import language
from screening.web.errors import Page
from screening.web.errors import page as error_page
from screening.web.forms.about_you import AboutYouForm
from screening.web.forms.questions import QuestionForm, question_form

blueprint = Blueprint("patient", __name__)


PATIENCE = 2.0  # seconds to wait for another patient's paper
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
    return render_template("patient/start.html", in_progress=in_progress, sent=sent, book=language.book())


@blueprint.post("/")
def begin() -> Page:
    """Begin a new questionnaire."""
    address = request.remote_addr or ""
    token = questionnaire.begin(acting(), address="" if address in LOOPBACK else address, keep=_keep())
    if draft_token():
        forget_forms()
    return remember(token, url_for("patient.about_you"))


@blueprint.get("/continue")
def resume() -> Page:
    """Go on where the questionnaire was left."""
    return redirect(_next_step(_draft()), code=303)


@blueprint.route("/about-you", methods=["GET", "POST"])
def about_you() -> Page:
    """Name, date of birth, visit reference."""
    draft = _draft()
    back = url_for("patient.check") if _complete(draft) else url_for("patient.start")
    form = AboutYouForm.filled_with(draft.patient)
    if request.method == "POST" and not language.switch():
        offered = installation().settings.languages
        if form.check(languages=offered, today=today()):
            _record(lambda draft: replace(draft, patient=form.patient))
            return remember(draft_token(), back if _going_back() else _next_step(_draft()))
        if _going_back():
            return redirect(back, code=303)
    return render_template("patient/about_you.html", form=form, who=paper.respondent_choices(language.chosen()))


@blueprint.route("/questions/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> Page:
    """One question of the rule book with its follow-ups."""
    sent = request.method == "POST" and not language.switch()
    draft = _draft()
    asked = language.book().question(question_id) or abort(404)
    _refuse_to_skip(draft, asked)
    back = _before(draft, asked)
    if sent:
        # Worded as the patient saw it, even if another tab has switched the language since.
        seen = installation().books.get(request.form.get("shown_in", ""), language.book())
        form = question_form(QuestionForm, seen, seen.question(question_id) or abort(404), draft.answers)
        if form.validate():
            _record(lambda draft: replace(draft, answers=draft.answers.with_page(asked, form.answers)))
            return remember(draft_token(), back if _going_back() else _next_step(_draft(), after=asked))
        if _going_back():
            return redirect(back, code=303)
    else:
        form = question_form(QuestionForm, language.book(), asked, draft.answers)
    return render_template(
        "patient/question.html",
        form=form,
        question=form.question,
        follow_ups=follow_up_places(form.question),
        number=language.book().questions.index(asked) + 1,
        total=len(language.book().questions),
        proxy_for=draft.patient.name if draft.patient and draft.patient.proxy else "",
    )


@blueprint.get("/check")
def check() -> Page:
    """Every answer with a way to change it."""
    draft = _draft()
    if draft.patient is None or not _complete(draft):
        raise OutOfOrder
    patient, change = draft.patient, url_for("patient.about_you")
    about = [
        (_("Name") if patient.proxy else _("Your name"), patient.name, change),
        (
            _("Date of birth") if patient.proxy else _("Your date of birth"),
            format_date(patient.birth_date, "long"),
            change,
        ),
        (_("Visit number"), patient.visit, change),
    ]
    if chosen := paper.respondent_chosen(patient, language.chosen()):
        about.append((_("Who is filling this in?"), chosen, change))
    rows = [
        (asked, answer, url_for("patient.question", question_id=question.id))
        for question, asked, answer in paper.asked_and_answered(draft.answers, language.book())
    ]
    private = paper.private_label(language.book())
    return render_template("patient/check.html", about=about, rows=rows, private=private, proxy=patient.proxy)


@blueprint.post("/submit")
def submit() -> Page:
    """Send the answers to the clinic."""
    here = installation()
    try:
        questionnaire.submit(acting(), draft_token(), here.books, language.chosen(), jobs=here.jobs_of_sent)
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
    return copy_page(_sent(), language.book(), back=url_for("patient.done"), pdf=url_for("patient.copy_pdf"))


@blueprint.get("/copy.pdf")
def copy_pdf() -> Page:
    """The same as a PDF."""
    return copy_response(_sent(), language.book(), back=url_for("patient.copy"))


def copy_response(screening: Screening, book: RuleBook, *, back: str) -> Page:
    """The patient's copy as a PDF; where it cannot be made, a page that leads `back`."""
    db.session.rollback()  # nobody should wait for what is being printed
    settings = installation().settings
    answers, name = _with_answers(), f"answers-{screening.reference}.pdf"
    return _printed(lambda: paper.copy(screening, book, settings, answers=answers).content, name, back)


def _with_answers() -> bool:
    """Whether a copy has the answers; those who share a phone may ask for one that has none."""
    return request.args.get("answers") != "no"


def _printed(make: Callable[[], bytes], name: str, back: str) -> Page:
    """A paper for a patient. They take one of the server's threads for long, not all of them."""
    if not _patients_turn.acquire(timeout=PATIENCE):
        return not_printed(back)
    try:
        return pdf_response(make(), name)
    except PrintingFailed:
        return not_printed(back)
    finally:
        _patients_turn.release()


@blueprint.get("/paper/<kind>/<code>.pdf")
def blank(kind: str, code: str) -> Page:
    """The form for a pen, or the leaflet, in a language; some in large print."""
    here = installation()
    if kind not in paper.BLANKS or code not in here.settings.languages:
        abort(404)
    back = url_for("patient.start")
    return _printed(lambda: paper.blank(kind, here.books[code], here.settings), f"{kind}-{code}.pdf", back)


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
    title, why = _("The PDF is not ready"), _("Something went wrong while it was made. Please try again later.")
    return error_page(503, title, why, action=_("Go back"), target=target)


@blueprint.get("/leaflet")
def leaflet() -> Page:
    """What the rule book tells patients about the medicine."""
    return render_template("patient/leaflet.html", book=language.book())


@blueprint.get("/privacy")
def privacy() -> Page:
    """What the clinic does with the answers, in its own words."""
    return render_template("patient/privacy.html") if _own_words("privacy") else abort(404)


@blueprint.app_context_processor
def _for_templates() -> dict[str, object]:
    return {"own_words": _own_words}


def _own_words(place: str) -> Markup:
    """What the clinic says in this place in the language of the page."""
    return Markup(texts.html(installation().settings.instance, place, language.chosen()))  # noqa: S704 - no raw HTML in it


@blueprint.post("/finish")
def finish() -> Page:
    """Forget this patient on this device; a draft that was not sent is deleted."""
    questionnaire.discard(session=db.session, token=draft_token())
    return forget(redirect(url_for("patient.start"), code=303))


def forget(response: Response) -> Response:
    """Leave nothing of this patient on this device."""
    forget_forms()
    session.pop("language", None)
    secure = installation().settings.over_tls
    response.delete_cookie(_cookie_name(), secure=secure, httponly=True, samesite="Lax")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@blueprint.errorhandler(OutOfOrder)
def _out_of_order(error: OutOfOrder) -> Page:
    return error_page(
        409,
        _("Something comes first"),
        _("Please answer the questions in their order. Everything you have answered is kept."),
        action=_("Go on with my answers"),
        target=_next_step(_draft()),
    )


@blueprint.errorhandler(AlreadySent)
def _already_sent(error: AlreadySent) -> Page:
    sent = _find_sent()
    return error_page(
        409,
        _("Your answers were sent already"),
        _("The clinic has them. To change an answer, tell staff."),
        action=_("Go to the start") if sent is None else _("See my reference"),
        target=url_for("patient.start") if sent is None else url_for("patient.done"),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    """The day at the clinic."""
    return installation().today()


def acting(by: str = "patient") -> Act:
    """What a patient, or whoever has a tablet that patients take in turn, does now."""
    return Act(session=db.session, keys=installation().keys, now=_now(), by=by)


def _keep() -> timedelta:
    return tablet.TURN if g.tablet else timedelta(hours=installation().settings.draft_hours)


def _keep_copy() -> timedelta:
    longest = timedelta(minutes=installation().settings.copy_minutes)
    return min(longest, tablet.TURN) if g.tablet else longest


def _cookie_name() -> str:
    return "__Host-draft" if installation().settings.over_tls else "draft"


def draft_token() -> str:
    """The token that this device keeps, or nothing."""
    return request.cookies.get(_cookie_name(), "")


def remember(token: str, target: str) -> Response:
    """Lead on to `target`, and let the device keep the token for as long as the draft, or the copy, is kept from now.

    A browser that sees the cookie change also drops the pages it kept in memory for Back, which show old answers.
    """
    response = redirect(target, code=303)
    here = installation().settings
    longest = max(_keep(), _keep_copy())
    response.set_cookie(_cookie_name(), token, max_age=longest, secure=here.over_tls, httponly=True, samesite="Lax")
    return response


def forget_forms() -> None:
    """Refuse every form shown so far: sent again by Back and reload, it would write into the next patient's draft."""
    session.pop("csrf_token", None)


def _record(change: Callable[[Draft], Draft]) -> None:
    questionnaire.record(acting(), draft_token(), change, keep=_keep())


def find_draft() -> Draft | None:
    """This patient's draft, without answers to questions whose wording has changed since; None if there is none."""
    if not draft_token():
        return None
    here = installation()
    draft = drafts.find(db.session, here.keys, drafts.hash_token(draft_token()), now=_now())
    return draft and replace(draft, answers=draft.answers.still_asked(here.books))


def is_here() -> bool:
    """Whether this device has a draft, or something sent that it may still show."""
    return find_draft() is not None or _find_sent() is not None


def _draft() -> Draft:
    """This patient's draft. Raises AlreadySent where it has become a screening, DraftGone where there is none."""
    draft = find_draft()
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
        conditions.append(ScreeningRow.submitted_at > _now() - _keep_copy())
    return screenings.find(db.session, here.keys, *conditions)


def _sent() -> Screening:
    """What this patient has just sent. Raises OutOfOrder before, AlreadySent after its time, DraftGone without any."""
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
    if draft.patient is None or (first_open and questions.index(asked) > questions.index(first_open)):
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


def _going_back() -> bool:
    """Whether Back was pressed: what is acceptable is saved, the rest is let go."""
    return "back" in request.form


def copy_page(screening: Screening, book: RuleBook, *, back: str, pdf: str) -> str:
    """The patient's record of the answers, without any outcome. `back` is where it was opened from."""
    about = [(name, value, "") for name, value in paper.particulars(screening, book, installation().settings)]
    answered = paper.asked_and_answered(screening.answers, book) if _with_answers() else ()
    rows = [(asked, answer, "") for _question, asked, answer in answered]
    private, pdf = paper.private_label(book), pdf if _with_answers() else f"{pdf}?answers=no"
    return render_template("patient/copy.html", about=about, rows=rows, back=back, pdf=pdf, private=private)
