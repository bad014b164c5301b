"""The prescriber's way: inbox, a screening, clarify, decide, statistics. Staff see what arrived, and no more."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, g, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from flask_babel import refresh
from flask_security import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.answers import Answers
from screening.domain.assessment import Screening
from screening.domain.entries import Decision, Entry, Status
from screening.domain.rules import RuleBook, Severity
from screening.extensions import db, installation
from screening.reports.pdf import print_summary
from screening.reports.statistics import chart
from screening.reports.summary import (
    Summary,
    age,
    day,
    decision_label,
    for_clinic,
    moment,
    severity_label,
    translations,
)
from screening.services import review
from screening.storage import audit, screenings
from screening.storage import statistics as figures
from screening.storage.encryption import KeyFault
from screening.storage.worklist import Filter, Listed
from screening.web.errors import page as error_page
from screening.web.forms.questions import follow_up_places, question_form
from screening.web.forms.review import ClarifyForm, ReviewForm
from screening.web.patient import copy_page
from screening.web.sign_in import needs, page_number, professional

blueprint = Blueprint("clinic", __name__, url_prefix="/clinic")

Page = str | Response | tuple[str, int]
PAGE_LENGTH = 50
SHOWS = ("todo", "new", "opened", "reviewed", "deferred", "all")
STAFF_SHOWS = ("unreviewed", "new", "opened", "reviewed", "all")  # none of them tells of a decision
STATISTICS_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the inbox; particulars are empty where the row cannot be opened."""

    listed: Listed
    name: str
    born: str
    visit: str
    sent: str
    age: timedelta
    status: str
    confirm_again: bool


# ------------------------------------------------------------------------------------------------------------- inbox


@blueprint.get("/")
@needs("prescriber", "staff", "admin")
def inbox() -> Page:
    """What is to be done, or what the filter in the address asks for. Who is only an admin has no inbox."""
    if not (current_user.has_role("prescriber") or current_user.has_role("staff")):
        return redirect(url_for("admin.people"))
    clinical, typed = current_user.has_role("prescriber"), _opened(request.args.get("q", ""))
    chosen, here = _filter(request.args, clinical=clinical, typed=typed), installation()
    number = page_number()
    with here.worklist.current(db.session, here.keys, timezone=here.settings.clinic_timezone, today=_today()) as list_:
        listed, total = here.worklist.page(
            list_, chosen, by_severity=clinical, offset=(number - 1) * PAGE_LENGTH, limit=PAGE_LENGTH
        )
    filters = {name: value for name, value in request.args.items() if name != "page" and value}
    lines, by = _lines(listed), professional()
    review.listed(
        session=db.session, keys=here.keys, by=by, now=datetime.now(UTC), lines=len(lines), searched=bool(typed)
    )
    return render_template(
        "clinic/inbox.html",
        lines=lines,
        total=total,
        number=number,
        last=max(-(-total // PAGE_LENGTH), 1),
        chosen=chosen,
        typed=typed,
        filters=filters,
        clinical=clinical,
        shows=SHOWS if clinical else STAFF_SHOWS,
        severities=[(one.word, _severity(one)) for one in reversed(Severity)],
        newest=audit.head(db.session, here.keys).number,
        too_many=chosen.references is not None and len(chosen.references) >= screenings.FOUND_AT_MOST,
    )


@blueprint.post("/search")
@needs("prescriber", "staff")
def search() -> Response:
    """Lead to what was searched for; the words are sealed, so that no address or log holds a patient's name."""
    typed = request.form.get("search", "").strip()[:200]
    filters = {name: value for name, value in request.form.items() if name in ("show", "outcome", "since", "to")}
    if typed:
        filters["q"] = _sealed(typed)
        filters["show"] = "all"
    return redirect(url_for("clinic.inbox", **{name: value for name, value in filters.items() if value}), code=303)  # type: ignore[arg-type]


@blueprint.get("/arrivals")
@needs("prescriber", "staff", counts=False)
def arrivals() -> dict[str, int]:
    """How many screenings arrived after the audit row `after`: what an open inbox asks by itself."""
    return {"arrived": audit.count(db.session, "submitted", after=min(request.args.get("after", 0, type=int), 2**31))}


def _filter(asked: MultiDict[str, str], *, clinical: bool, typed: str) -> Filter:
    """The filter in an address; what is not understood is left out. Staff cannot ask for an outcome."""

    def of_day(name: str) -> date | None:
        try:
            return date.fromisoformat(asked.get(name, ""))
        except ValueError:
            return None

    words = {one.word: one for one in Severity}
    shows = SHOWS if clinical else STAFF_SHOWS
    return Filter(
        show=asked["show"] if asked.get("show") in shows else shows[0],
        outcome=words.get(asked.get("outcome", "")) if clinical else None,
        since=of_day("since"),
        to=of_day("to"),
        # Words that cannot be read any more find nothing, rather than everything.
        references=screenings.search(db.session, installation().keys, typed) if typed or asked.get("q") else None,
    )


def _sealed(typed: str) -> str:
    plain = typed.encode().ljust(256)
    sealed = installation().keys.seal(plain, table="search", column="words", row=str(current_user.id))
    return base64.urlsafe_b64encode(sealed).decode()


def _opened(sealed: str) -> str:
    """What was searched for; nothing, where the address is from somebody else or from before the key was changed."""
    try:
        content = base64.urlsafe_b64decode(sealed)
        plain = installation().keys.unseal(content, table="search", column="words", row=str(current_user.id))
        return plain.decode().strip()
    except (KeyFault, binascii.Error, ValueError):
        return ""


def _lines(listed: list[Listed]) -> list[Line]:
    here, language = installation(), installation().settings.clinic_language
    rows = {row.reference: row for row in screenings.rows(db.session, [one.reference for one in listed])}
    book, now, lines = here.books[language], datetime.now(UTC), []
    shortest = timedelta(hours=min(question.valid_for_hours for question in book.questions))
    for one in listed:
        row = rows.get(one.reference)
        if row is None:
            continue  # deleted in this moment
        try:
            patient = screenings.patient(row, here.keys)
            born = f"{day(patient.birth_date, language)} ({age(patient.birth_date, _today())}y)"
            name, visit = patient.name, patient.visit
        except KeyFault:
            name = born = visit = ""
        waited = now - row.submitted_at
        lines.append(
            Line(
                listed=one,
                name=name,
                born=born,
                visit=visit,
                sent=moment(row.submitted_at, language, here.settings.clinic_timezone),
                age=waited,
                status=row.status,
                confirm_again=row.status != Status.REVIEWED and waited > shortest,
            )
        )
    return lines


# --------------------------------------------------------------------------------------------------------- screening


@blueprint.get("/screenings/<reference>")
@needs("prescriber")
def screening(reference: str) -> Page:
    """The summary as a page, with what can be done about it."""
    found = _view(reference)
    return _screening_page(found, ReviewForm(formdata=None, data={"seen": len(found.entries)}))


@blueprint.post("/screenings/<reference>/review")
@needs("prescriber")
def decide(reference: str) -> Page:
    """Record a decision."""
    form = ReviewForm()

    def record() -> Screening:
        return review.decide(
            session=db.session,
            keys=installation().keys,
            reference=reference,
            decision=Decision(form.decision.data),
            until=form.until.data,
            note=form.note.data,
            reason=form.reason.data,
            seen=form.seen.data or 0,
            by=professional(),
            today=_today(),
            now=datetime.now(UTC),
        )

    meanwhile = None
    if form.validate():
        try:
            record()
            return redirect(url_for("clinic.screening", reference=reference), code=303)
        except review.DayNeeded:
            form.day_needed(_today())
        except review.ReasonNeeded:
            form.reason_needed()
        except review.ChangedMeanwhile as err:
            meanwhile = err.entry
    found = _view(reference)
    form.seen.data = len(found.entries)
    return _screening_page(found, form, meanwhile), 409 if meanwhile else 200


@blueprint.route("/screenings/<reference>/clarify/<question_id>", methods=["GET", "POST"])
@needs("prescriber")
def clarify(reference: str, question_id: str) -> Page:
    """Record what was established on one question."""
    found = _view(reference)
    book = _books(found)[_language(found)]
    question = book.question(question_id) or abort(404)
    form = question_form(ClarifyForm, book, question, Answers())
    meanwhile = None
    if request.method == "POST" and form.validate():
        try:
            review.clarify(
                session=db.session,
                keys=installation().keys,
                reference=reference,
                question=question,
                answers=form.answers,
                why=form.why.data,
                seen=form.seen.data or 0,
                by=professional(),
                now=datetime.now(UTC),
            )
            return redirect(url_for("clinic.screening", reference=reference), code=303)
        except review.ChangedMeanwhile as err:
            meanwhile = err.entry
    form.seen.data = len(found.entries)
    summary = _summary(found)
    page = render_template(
        "clinic/clarify.html",
        form=form,
        question=question,
        follow_ups=follow_up_places(question, without="private"),
        summary=summary,
        rows=[row for row in summary.answers if row.id in {item.id for item in question.page}],
        meanwhile=_words(meanwhile),
    )
    return page, 409 if meanwhile else 200


@blueprint.get("/screenings/<reference>/summary.pdf")
@needs("prescriber")
def summary_pdf(reference: str) -> Response:
    """The printed summary, to be shown or, with `?download=1`, saved."""
    found = _view(reference, action="printed")
    printed = print_summary(_summary(found), paper=installation().settings.paper)
    return send_file(
        BytesIO(printed.content),
        mimetype="application/pdf",
        as_attachment="download" in request.args,
        download_name=f"summary-{found.reference}.pdf",
    )


@blueprint.get("/screenings/<reference>/copy")
@needs("prescriber")
def copy(reference: str) -> Page:
    """The patient's copy in the patient's language, to be printed and handed over."""
    found = _view(reference, action="copied")
    books = _books(found)
    g.page_language = found.language if found.language in books else _language(found)
    refresh()
    return copy_page(found, books[g.page_language], back=url_for("clinic.screening", reference=found.reference))


@blueprint.get("/statistics")
@needs("prescriber")
def statistics() -> Page:
    """How many screenings of which outcome, what stays open, and how long reviews take. Names nobody."""
    here, first = installation(), _today() - timedelta(days=STATISTICS_DAYS - 1)
    with here.worklist.current(db.session, here.keys, timezone=here.settings.clinic_timezone, today=_today()) as list_:
        per_day = here.worklist.per_day(list_, since=first)
    days = [first + timedelta(days=number) for number in range(STATISTICS_DAYS)]
    since = datetime.combine(first, datetime.min.time(), ZoneInfo(here.settings.clinic_timezone))
    topics = {item.id: item.topic for item in here.books[here.settings.clinic_language].asked()}
    return render_template(
        "clinic/statistics.html",
        chart=chart(days, per_day),
        days=[(day(one, here.settings.clinic_language), per_day.get(one, {})) for one in days if one in per_day],
        severities=[(one, _severity(one)) for one in reversed(Severity)],
        open_questions=[
            (topics.get(asked, asked), counts) for asked, counts in figures.left_open(db.session, here.keys, since)
        ],
        median=figures.median_time_to_review(db.session, since),
        count=STATISTICS_DAYS,
    )


@blueprint.errorhandler(screenings.NoSuchScreening)
def _no_such_screening(error: screenings.NoSuchScreening) -> Page:
    return error_page(
        404,
        _("There is no such screening"),
        _("The reference may be mistyped, or it was deleted when its time was over."),
        action=_("Go to the inbox"),
        target=url_for("clinic.inbox"),
    )


def _screening_page(found: Screening, form: ReviewForm, meanwhile: Entry | None = None) -> str:
    now, summary = datetime.now(UTC), _summary(found)
    book = _books(found)[_language(found)]
    page_of = {item.id: question for question in book.questions for item in question.page}
    return render_template(
        "clinic/screening.html",
        summary=summary,
        status=found.status.value,
        form=form,
        decisions=[(one.value, decision_label(one, translations(_language(found)))) for one in Decision],
        questions={item: question.id for item, question in page_of.items()},
        ages={item: now - found.known_since(item) for item in page_of},
        outdated={item for item, question in page_of.items() if found.outdated(question, now)},
        meanwhile=_words(meanwhile),
        contraindicated=summary.outcome is Severity.CONTRAINDICATION,
    )


def _view(reference: str, *, action: str = "viewed") -> Screening:
    reference = screenings.normal_reference(reference)
    return review.view(
        session=db.session,
        keys=installation().keys,
        reference=reference,
        by=professional(),
        now=datetime.now(UTC),
        action=action,
    )


def _books(found: Screening) -> Mapping[str, RuleBook]:
    return review.books_of(db.session, found)


def _language(found: Screening) -> str:
    """The clinic's language, where the edition has it."""
    wanted, books = installation().settings.clinic_language, _books(found)
    return wanted if wanted in books else next(iter(books))


def _summary(found: Screening) -> Summary:
    here = installation()
    return for_clinic(found, _books(found), here.settings, screenings.check_code(here.keys, found))


def _words(entry: Entry | None) -> str:
    """Who recorded something meanwhile, and when."""
    if entry is None:
        return ""
    settings = installation().settings
    return f"{entry.by}, {moment(entry.at, settings.clinic_language, settings.clinic_timezone)}"


def _severity(severity: Severity) -> str:
    return severity_label(severity, translations(installation().settings.clinic_language))


def _today() -> date:
    return datetime.now(ZoneInfo(installation().settings.clinic_timezone)).date()
