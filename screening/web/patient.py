"""The patient's way: start, about you, one question per page, check, send, done, own copy, leaflet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import format_date, format_time, to_user_timezone
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from screening.domain.answers import Patient, shown
from screening.domain.assessment import Screening
from screening.domain.rules import Question
from screening.extensions import db, installation
from screening.services import draft as draft_service
from screening.services import submit as submit_service
from screening.services.draft import DraftGone
from screening.storage import drafts, screenings
from screening.storage.drafts import Draft
from screening.web import language
from screening.web.errors import page as error_page
from screening.web.forms.about_you import AboutYouForm, date_part_order, example_birth_date
from screening.web.forms.questions import follow_up_places, question_form

blueprint = Blueprint("patient", __name__)

Page = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question with its answer, as a page shows it; `change` is the address that changes it."""

    asked: str
    answer: str
    change: str = ""


class OutOfOrder(Exception):
    """A step was opened before the ones it needs."""


class AlreadySent(Exception):
    """The answers of this patient are with the clinic and cannot be changed here."""


@blueprint.get("/")
def start() -> Page:
    """What this is, why, how long it takes and who reads it."""
    return render_template("patient/start.html", resume=_find_draft() is not None, book=language.book())


@blueprint.post("/")
def begin() -> Page:
    """Begin a new questionnaire; one begun before on this device is deleted."""
    if token := _token():
        draft_service.discard(session=db.session, token=token)
    token = draft_service.begin(session=db.session, keys=installation().keys, now=_now(), keep=_keep())
    response = redirect(url_for("patient.about_you"), code=303)
    secure = installation().settings.over_tls
    response.set_cookie(_cookie_name(), token, max_age=_keep(), secure=secure, httponly=True, samesite="Lax")
    return response


@blueprint.get("/continue")
def resume() -> Page:
    """Go on where the questionnaire was left."""
    return redirect(_next_step(_draft()), code=303)


@blueprint.route("/about-you", methods=["GET", "POST"])
def about_you() -> Page:
    """Name, date of birth, visit reference."""
    draft = _draft()
    form = AboutYouForm.filled_with(draft.patient)
    if request.method == "POST" and not language.switch():
        offered = installation().settings.languages
        today = _now().astimezone(ZoneInfo(installation().settings.clinic_timezone)).date()
        if form.check(languages=offered, today=today):
            draft = draft_service.record_patient(
                session=db.session,
                keys=installation().keys,
                token=_token(),
                patient=form.patient,
                now=_now(),
                keep=_keep(),
            )
            return redirect(_next_step(draft), code=303)
    return render_template(
        "patient/about_you.html",
        form=form,
        error_list=[(field, messages[0]) for field, messages in form.errors.items()],
        date_parts=date_part_order(language.chosen()),
        example_date=example_birth_date(language.chosen()),
        back=url_for("patient.check") if _complete(draft) else url_for("patient.start"),
    )


@blueprint.route("/questions/<question_id>", methods=["GET", "POST"])
def question(question_id: str) -> Page:
    """One question of the rule book with its follow-ups."""
    draft = _draft()
    book = language.book()
    asked = next((one for one in book.questions if one.id == question_id), None) or abort(404)
    _refuse_to_skip(draft, asked)
    form = question_form(book, asked, draft.answers)
    if request.method == "POST":
        if language.switch():
            # The same values in the new language, neither checked nor saved.
            book = language.book()
            asked = next(one for one in book.questions if one.id == question_id)
            form = question_form(book, asked, draft.answers)
        elif form.validate():
            draft = draft_service.record_page(
                session=db.session,
                keys=installation().keys,
                token=_token(),
                question=asked,
                page=form.page,
                now=_now(),
                keep=_keep(),
            )
            return redirect(_next_step(draft, after=asked), code=303)
    number = book.questions.index(asked)
    previous = url_for("patient.about_you")
    if _complete(draft):
        previous = url_for("patient.check")
    elif number:
        previous = url_for("patient.question", question_id=book.questions[number - 1].id)
    return render_template(
        "patient/question.html",
        form=form,
        error_list=[(field, messages[0]) for field, messages in form.errors.items()],
        question=asked,
        follow_ups=follow_up_places(asked),
        number=number + 1,
        total=len(book.questions),
        back=previous,
    )


@blueprint.get("/check")
def check() -> Page:
    """Every answer with a way to change it."""
    draft = _draft()
    if draft.patient is None or not _complete(draft):
        raise OutOfOrder
    return render_template("patient/check.html", about=_about(draft.patient), rows=_rows(draft))


@blueprint.post("/submit")
def submit() -> Page:
    """Send the answers to the clinic."""
    try:
        submit_service.submit(
            session=db.session,
            keys=installation().keys,
            token=_token(),
            books=installation().books,
            language=language.chosen(),
            now=_now(),
        )
    except submit_service.Incomplete as err:
        raise OutOfOrder from err
    return redirect(url_for("patient.done"), code=303)


@blueprint.get("/done")
def done() -> Page:
    """The reference and what happens next. The same for everyone."""
    return render_template("patient/done.html", screening=_sent())


@blueprint.get("/copy")
def copy() -> Page:
    """The patient's own record of the answers."""
    screening = _sent()
    local = to_user_timezone(screening.submitted_at)
    about = [
        (_("Reference"), screening.reference),
        (_("Sent"), f"{format_date(local, 'long')} {format_time(local, 'short')}"),
        *_about(screening.patient),
    ]
    return render_template("patient/copy.html", about=about, rows=_sent_rows(screening))


@blueprint.get("/leaflet")
def leaflet() -> Page:
    """What the rule book tells patients about the medicine."""
    back = url_for(".start")
    if _find_draft() is not None:
        back = url_for(".resume")
    elif _find_sent() is not None:
        back = url_for(".done")
    return render_template("patient/leaflet.html", book=language.book(), back=back)


@blueprint.post("/finish")
def finish() -> Page:
    """Forget this patient on this device."""
    response = redirect(url_for("patient.start"), code=303)
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
    return error_page(
        409,
        _("Your answers were sent already"),
        _("They cannot be changed here. To change an answer, tell staff and give them your reference."),
        action=_("See my reference"),
        target=url_for("patient.done"),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _keep() -> timedelta:
    return timedelta(hours=installation().settings.draft_hours)


def _cookie_name() -> str:
    return "__Host-draft" if installation().settings.over_tls else "draft"


def _token() -> str:
    return request.cookies.get(_cookie_name(), "")


def _find_draft() -> Draft | None:
    """This patient's draft, without answers to questions whose wording has changed since; None if there is none."""
    if not _token():
        return None
    here = installation()
    draft = drafts.find(db.session, here.keys, drafts.hash_token(_token()), now=_now())
    return draft and Draft(patient=draft.patient, answers=draft.answers.still_asked(here.books))


def _draft() -> Draft:
    """This patient's draft. Raises DraftGone, or AlreadySent where it has become a screening."""
    draft = _find_draft()
    if draft is None:
        _sent()
        raise AlreadySent
    return draft


def _find_sent() -> Screening | None:
    """What this patient has sent within `copy_minutes`, or None."""
    if not _token():
        return None
    here = installation()
    recent = _now() - timedelta(minutes=here.settings.copy_minutes)
    return screenings.find_by_draft(db.session, here.keys, drafts.hash_token(_token()), submitted_after=recent)


def _sent() -> Screening:
    """What this patient has just sent. Raises DraftGone where there is nothing, or no longer."""
    screening = _find_sent()
    if screening is None:
        raise DraftGone
    return screening


def _complete(draft: Draft) -> bool:
    return draft.patient is not None and draft.answers.open_question(language.book()) is None


def _refuse_to_skip(draft: Draft, asked: Question) -> None:
    """Raise OutOfOrder for a question beyond the first one that is not answered yet."""
    book = language.book()
    first_open = draft.answers.open_question(book)
    if draft.patient is None or (first_open and book.questions.index(asked) > book.questions.index(first_open)):
        raise OutOfOrder


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


def _about(patient: Patient) -> list[tuple[str, str]]:
    """The patient's own particulars, as a page shows them."""
    return [
        (_("Your name"), patient.name),
        (_("Your date of birth"), format_date(patient.birth_date, "long")),
        (_("Visit number"), patient.visit),
    ]


def _rows(draft: Draft) -> list[Row]:
    """What the check page shows: the questions asked in the page's language, with the answers so far."""
    rows = []
    for question in language.book().questions:
        for item in question.page:
            if isinstance(item, Question) or draft.answers.applies(item):
                value = draft.answers.value(item.id)
                answer = "" if value is None else shown(item, value)
                rows.append(Row(asked=item.ask, answer=answer, change=url_for(".question", question_id=question.id)))
    return rows


def _sent_rows(screening: Screening) -> list[Row]:
    """What the patient's copy shows: the wording that the patient saw, in the order in which it was asked."""
    order = [item.id for item in language.book().asked()]
    answers = sorted(screening.answers.given, key=lambda answer: order.index(answer.id) if answer.id in order else 99)
    return [Row(asked=answer.asked, answer=answer.shown) for answer in answers]
