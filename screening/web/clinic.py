"""The prescriber's way: inbox, a screening, clarify, decide, statistics.

Staff see what arrived, and no more.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import refresh
from flask_security import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.answers import Patient, tidy
from screening.domain.assessment import Screening
from screening.domain.entries import Decision, Entry
from screening.domain.rules import RuleBook, Severity
from screening.extensions import db
from screening.installation import installation
from screening.operating import clock, overlooked, retention
from screening.printing.paper import BLANKS
from screening.reports.paper import follow_up_places
from screening.reports.statistics import HEIGHT, WIDTH, bars
from screening.reports.summary import age, day, in_language_of, label, moment
from screening.services import editions, jobs, printing, review
from screening.storage import audit, outbox, screenings
from screening.storage import search as search_index
from screening.storage import statistics as figures
from screening.storage.private_files import KeyFault
from screening.storage.worklist import SHOWN, Filter, Listed
from screening.web import failed_jobs, language
from screening.web.errors import Page
from screening.web.forms.questions import question_form
from screening.web.forms.review import ClarifyForm, ReviewForm
from screening.web.paging import page_number
from screening.web.patient.papers import copy_page, copy_response
from screening.web.pdf import in_turn, pdf_response
from screening.web.sealed_values import opened_for_me, sealed_for_me
from screening.web.sign_in.guards import acting, forget_kept, kept_form, needs

blueprint = Blueprint("clinic", __name__, url_prefix="/clinic")

PAGE_LENGTH = 50
STATISTICS_DAYS = 30


@blueprint.get("/")
@needs("prescriber", "staff", "admin")
def inbox() -> Page:
    """What is to be done, or what the filter in the address asks for.

    Who is only an admin has no inbox.
    """
    if not (current_user.has_role("prescriber") or current_user.has_role("staff")):
        return redirect(url_for("admin.people"))
    clinical = current_user.has_role("prescriber")
    typed = _opened(request.args.get("q", ""))
    chosen = _filter(request.args, clinical=clinical, typed=typed)
    here = installation()
    number = page_number()
    with here.worklist.current(
        db.session, here.keys, timezone=here.settings.clinic_timezone, today=installation().today()
    ) as list_:
        listed, total = here.worklist.page(
            list_,
            chosen,
            by_severity=clinical,
            offset=(number - 1) * PAGE_LENGTH,
            limit=PAGE_LENGTH,
        )
        unread = _unread(list_)
    waiting = overlooked.find(acting(), here, patience=0, clinical=clinical)
    filters = {name: value for name, value in request.args.items() if name != "page" and value}
    lines = list(_lines(listed))
    troubled = outbox.troubled(db.session, now=datetime.now(UTC))
    review.listed(acting(), lines=len(lines), searched=bool(typed))
    return render_template(
        "clinic/inbox.html",
        lines=lines,
        now=datetime.now(UTC),
        confirm_after=timedelta(
            hours=min(one.valid_for_hours for one in language.book().questions)
        ),
        today=installation().today(),
        age=age,
        total=total,
        number=number,
        length=PAGE_LENGTH,
        chosen=chosen,
        typed=typed,
        filters=filters,
        clinical=clinical,
        shows=_shows(clinical),
        severities=list(reversed(Severity)),
        failed_jobs=failed_jobs.grouped(troubled, here.jobs_of_sent),
        more_failed=len(troubled) >= outbox.MOST_SHOWN,
        shown=failed_jobs.SHOWN,
        reasons=here.points.reasons,
        unread=unread,
        overlooked=waiting,
        in_doubt=clock.doubt(db.session),
        **_announced(),
        newest=audit.head(db.session, here.keys).number,
        too_many=chosen.references is not None
        and len(chosen.references) >= search_index.FOUND_AT_MOST,
    )


def _unread(list_: sqlite3.Connection) -> int:
    """How many screenings a new process has not read into its list yet."""
    if installation().worklist.is_whole:
        return 0
    (listed,) = list_.execute("SELECT count(*) FROM list").fetchone()
    return max(screenings.count(db.session) - listed, 1)


def _announced() -> dict[str, object]:
    """What will be deleted although nobody has decided on it: the first of it, how many, and from which day on."""
    days = installation().settings.retention_days
    count, first, references = retention.announced(db.session, days=days, shown=failed_jobs.SHOWN)
    return {"announced": references, "announced_count": count, "announced_until": first}


@blueprint.post("/search")
@needs("prescriber", "staff")
def search() -> Response:
    """Lead to what was searched for; the words are sealed, so that no address or log holds a patient's name."""
    typed = tidy(request.form.get("search", ""))[:200]
    sealed = sealed_for_me(typed.encode().ljust(256), table="search", column="words")
    found = {"q": sealed, "show": "all"} if typed else {}
    return redirect(url_for("clinic.inbox", **found), code=303)  # type: ignore[arg-type]


@blueprint.get("/arrivals")
@needs("prescriber", "staff", counts=False)
def arrivals() -> dict[str, int]:
    """How many screenings arrived after the audit row `after`: what an open inbox asks by itself."""
    # what fits into the column
    after = min(max(request.args.get("after", 0, type=int), 0), 2**31 - 1)
    return {"arrived": audit.count(db.session, "submitted", after=after)}


def _shows(clinical: bool) -> list[str]:
    """Return what the list can show. Staff are not offered what tells of a decision."""
    hidden = {"unreviewed"} if clinical else {"todo", "deferred"}
    return [show for show in SHOWN if show not in hidden]


def _filter(asked: MultiDict[str, str], *, clinical: bool, typed: str) -> Filter:
    """The filter in an address; what is not understood is left out.

    Staff cannot ask for an outcome.
    """
    words = {one.word: one for one in Severity}
    shows = _shows(clinical)
    return Filter(
        show=asked["show"] if asked.get("show") in shows else shows[0],
        outcome=words.get(asked.get("outcome", "")) if clinical else None,
        since=asked.get("since", type=date.fromisoformat),
        to=asked.get("to", type=date.fromisoformat),
        # Words that cannot be read any more find nothing, rather than everything.
        references=search_index.find(db.session, installation().keys, typed)
        if typed or asked.get("q")
        else None,
    )


def _opened(sealed: str) -> str:
    """What was searched for; nothing, where the address is from somebody else or from before the key was changed."""
    try:
        return opened_for_me(sealed, table="search", column="words").decode().strip()
    except (KeyFault, ValueError):  # also what is not base64
        return ""


def _lines(listed: list[Listed]) -> Iterator[tuple[Listed, str, datetime, Patient | None]]:
    """The lines of the inbox: with status, when it was sent, and no patient where the row cannot be opened."""
    rows = screenings.rows(db.session, [one.reference for one in listed])
    for one in listed:
        if (row := rows.get(one.reference)) is None:  # deleted in this moment
            continue
        try:
            patient = screenings.patient(row, installation().keys)
        except KeyFault:
            patient = None
        yield one, row.status, row.submitted_at, patient


@blueprint.get("/screenings/<reference>")
@needs("prescriber")
def screening(reference: str) -> Page:
    """The summary as a page, with what can be done about it."""
    found = _view(reference)
    return _screening_page(found, ReviewForm(kept_form(), data={"seen": len(found.entries)}))


@blueprint.post("/screenings/<reference>/review")
@needs("prescriber")
def decide(reference: str) -> Page:
    """Record a decision."""
    form = ReviewForm(request.form)
    meanwhile = None
    if form.validate():
        try:
            review.decide(
                acting(),
                reference,
                decision=Decision(form.decision.data),
                until=form.until.data,
                note=form.note.data,
                reason=form.reason.data,
                seen=form.seen.data or 0,
                today=installation().today(),
                jobs=installation().jobs_of_entry,
            )
            forget_kept(url_for("clinic.screening", reference=reference))
            installation().wake()
            return redirect(url_for("clinic.screening", reference=reference), code=303)
        except review.DayNeeded:
            form.until.errors = [
                _("Enter a date after today (%(today)s)", today=installation().today().isoformat())
            ]
        except review.ReasonNeeded:
            form.reason.errors = [
                _("A contraindication is reported: give your reason for proceeding")
            ]
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
    book = _book(found)
    meanwhile = None
    question = book.question(question_id) or abort(404)
    form = question_form(ClarifyForm, book, question, request.form or kept_form())
    if request.method == "POST" and form.validate():
        try:
            why = form.why.data
            seen = form.seen.data or 0
            jobs = installation().jobs_of_entry
            review.clarify(
                acting(),
                reference,
                question=question,
                answers=form.answers,
                why=why,
                seen=seen,
                jobs=jobs,
            )
            forget_kept(request.path)
            installation().wake()
            return redirect(url_for("clinic.screening", reference=reference), code=303)
        except review.ChangedMeanwhile as err:
            meanwhile = err.entry
    form.seen.data = len(found.entries)
    summary = installation().printer.summary(found)
    page = render_template(
        "clinic/clarify.html",
        form=form,
        question=question,
        follow_ups=follow_up_places(question, without="private"),
        summary=summary,
        rows=[row for row in summary.answers if row.id in {item.id for item in question.page}],
        meanwhile=meanwhile,
    )
    return page, 409 if meanwhile else 200


@blueprint.get("/screenings/<reference>/summary.pdf")
@needs("prescriber")
def summary_pdf(reference: str) -> Page:
    """The printed summary, to be shown or, with `?download=1`, saved."""
    found = _view(reference, action="printed")
    try:
        printed = installation().printer.pdf(found.reference)
    except printing.NotPrinted as err:
        return render_template(
            "clinic/not_printed.html", reference=found.reference, failed=err.failed
        ), 503
    return pdf_response(printed, f"summary-{found.reference}.pdf")


@blueprint.post("/retry")
@needs("prescriber", "staff")
def retry() -> Response:
    """Let what failed be tried again: all, or all of one kind."""
    jobs.retry(acting(), kind=request.form.get("kind", ""))
    installation().wake()
    flash(_("Another attempt has been started. If it fails, this will be shown here again."))
    return redirect(url_for("clinic.inbox"), code=303)


@blueprint.get("/screenings/<reference>/copy")
@needs("prescriber")
def copy(reference: str) -> Page:
    """The patient's copy in the patient's language, to be printed and handed over."""
    found = _view(reference, action="copied")
    book = _patients_book(found)
    g.page_language = book.language
    refresh()
    here = url_for("clinic.screening", reference=found.reference)
    return copy_page(
        found, book, back=here, pdf=url_for("clinic.copy_pdf", reference=found.reference)
    )


@blueprint.get("/screenings/<reference>/copy.pdf")
@needs("prescriber")
def copy_pdf(reference: str) -> Page:
    """The same as a PDF."""

    def make() -> Response:
        found = _view(reference, action="copied")
        return copy_response(found, _patients_book(found))

    return in_turn(make, back=url_for("clinic.screening", reference=reference))


@blueprint.get("/paper")
@needs("prescriber", "staff")
def paper() -> Page:
    """What can be printed for patients, in each language."""
    return render_template("clinic/paper.html", kinds=BLANKS, offered=language.offered())


@blueprint.get("/statistics")
@needs("prescriber")
def statistics() -> Page:
    """How many screenings of which outcome, what stays open, and how long reviews take.

    Names nobody.
    """
    here = installation()
    first = installation().today() - timedelta(days=STATISTICS_DAYS - 1)
    with here.worklist.current(
        db.session, here.keys, timezone=here.settings.clinic_timezone, today=installation().today()
    ) as list_:
        per_day = here.worklist.per_day(list_, since=first)
        unread = _unread(list_)
        left_open = here.worklist.left_open(list_, since=first)
    days = [first + timedelta(days=number) for number in range(STATISTICS_DAYS)]
    highest = max((sum(counts.values()) for counts in per_day.values()), default=0)
    since = datetime.combine(first, datetime.min.time(), ZoneInfo(here.settings.clinic_timezone))
    topics = {item.id: item.topic for item in here.books[here.settings.clinic_language].asked()}
    return render_template(
        "clinic/statistics.html",
        bars=bars(days, per_day, highest),
        highest=highest,
        size=(WIDTH, HEIGHT),
        span=(days[0], days[-1]),
        days=[(one, per_day[one]) for one in days if one in per_day],
        severities=list(reversed(Severity)),
        open_questions=[(topics.get(asked, asked), counts) for asked, counts in left_open],
        median=figures.median_time_to_review(db.session, since),
        count=STATISTICS_DAYS,
        unread=unread,
        sample=figures.SAMPLE
        if sum(sum(counts.values()) for counts in per_day.values()) > figures.SAMPLE
        else 0,
    )


@blueprint.errorhandler(screenings.NoSuchScreening)
def _no_such_screening(error: screenings.NoSuchScreening) -> Page:
    return render_template("clinic/no_such_screening.html"), 404


def _screening_page(found: Screening, form: ReviewForm, meanwhile: Entry | None = None) -> str:
    now = datetime.now(UTC)
    summary = installation().printer.summary(found)
    book = _book(found)
    together = screenings.together(
        db.session, installation().keys, found.replaces or found.reference
    )
    page_of = {item.id: question for question in book.questions for item in question.page}
    since = {row.id: found.known_since(row.id) for row in summary.answers}
    outdated = {item for item in since if found.outdated(page_of[item], now)}
    return render_template(
        "clinic/screening.html",
        summary=summary,
        status=found.status.value,
        form=form,
        decisions=[(one.value, label(one, book.language)) for one in Decision],
        # Of the same age and young enough, they need no column that says so.
        ages={item: now - at for item, at in since.items()}
        if outdated or len(set(since.values())) > 1
        else {},
        outdated=outdated,
        meanwhile=meanwhile,
        others=[one for one in together if one != found.reference],
        replaced=together[-1] != found.reference,
        notices=[notice(found) for notice in installation().points.notices],
        contraindicated=summary.outcome is Severity.CONTRAINDICATION,
    )


def _view(reference: str, *, action: str = "viewed") -> Screening:
    return review.view(acting(), search_index.normal_reference(reference), action=action)


def _patients_book(found: Screening) -> RuleBook:
    """The edition of a screening in the language that the patient answered in."""
    return editions.books_of(db.session, installation().keys, found).get(
        found.language, _book(found)
    )


def _book(found: Screening) -> RuleBook:
    """The edition of a screening in the clinic's language."""
    return in_language_of(
        installation().settings, editions.books_of(db.session, installation().keys, found)
    )


@blueprint.app_template_filter("moment")
def _moment(at: datetime) -> str:
    settings = installation().settings
    return moment(at, settings.clinic_language, settings.clinic_timezone)


@blueprint.app_template_filter("day")
def _day(on: date) -> str:
    return day(on, installation().settings.clinic_language)


@blueprint.app_template_filter("severity")
def _severity(severity: Severity) -> str:
    return label(severity, installation().settings.clinic_language)
