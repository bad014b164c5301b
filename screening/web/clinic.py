"""Pages for prescribers: inbox, screening, clarify, decide, statistics.

Staff see in the inbox that a screening arrived, and nothing clinical.
"""

import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import refresh
from flask_security import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.answers import tidy
from screening.domain.assessment import Screening
from screening.domain.entries import Decision, Entry
from screening.domain.rules import RuleBook, Severity
from screening.extensions import db
from screening.installation import current_installation
from screening.operating import clock, overlooked, retention
from screening.printing.paper import BLANKS
from screening.reports.bar_chart import HEIGHT, WIDTH, bars
from screening.reports.paper import follow_up_places
from screening.reports.summary import age, day, in_language_of, label, moment
from screening.services import editions, jobs, printing, review
from screening.services.print_several import NotAllPrinted, print_several
from screening.storage import audit, outbox, screenings, waiting_times
from screening.storage import search as search_index
from screening.storage.private_files import KeyFault
from screening.storage.worklist import SHOWN, Filter, Group
from screening.web import failed_jobs, language, same_person
from screening.web.errors import Page
from screening.web.expected import expected_on, lines, with_answers
from screening.web.forms.questions import question_form
from screening.web.forms.review import ClarifyForm, ReviewForm
from screening.web.paging import page_number
from screening.web.patient.papers import copy_page, copy_response
from screening.web.pdf import in_turn, pdf_response
from screening.web.sealed_values import opened_for_me, sealed_for_me
from screening.web.sign_in.guards import current_actor, forget_kept, kept_form, needs
from screening.web.walk import LONGEST, Walk, opened_walk

blueprint = Blueprint("clinic", __name__, url_prefix="/clinic")

PAGE_LENGTH = 50
# the pages between which an address keeps the list that a screening was opened from
WALKED = {"clinic.screening", "clinic.decide", "clinic.clarify", "same_person.decide"}
STATISTICS_DAYS = 30


@blueprint.app_url_defaults
def _keep_list(endpoint: str, values: dict[str, object]) -> None:
    if endpoint in WALKED and "list" in request.args:
        values.setdefault("list", request.args["list"])


@blueprint.get("/")
@needs("prescriber", "staff", "admin")
def inbox() -> Page:
    """List the screenings to be reviewed, or those that the filter in the address selects.

    An admin without another role is redirected: there is no inbox for admins.
    """
    if not (current_user.has_role("prescriber") or current_user.has_role("staff")):
        return redirect(url_for("admin.people"))
    clinical = current_user.has_role("prescriber")
    order = request.args.get("order", "") if clinical else ""
    typed = _opened(request.args.get("q", ""))
    chosen = _filter(request.args, clinical=clinical, typed=typed)
    installation = current_installation()
    number = page_number()
    asked_day = request.args.get("day", type=date.fromisoformat)
    day = asked_day or installation.today()
    is_narrow = not asked_day and (request.args.get("q") or chosen.since or chosen.to)
    expected = [] if is_narrow else expected_on(day)
    with installation.worklist.current(
        db.session,
        installation.keys,
        timezone=installation.settings.clinic_timezone,
        today=current_installation().today(),
    ) as list_:
        lines_of_day = with_answers(list_, expected, chosen, by_severity=order == "severity")
        answered = [line.expected.reference for line in lines_of_day if line.answers]
        listed, total = installation.worklist.page(
            list_,
            replace(chosen, left_out=answered),
            by_severity=clinical and order != "time",
            offset=(number - 1) * PAGE_LENGTH,
            limit=PAGE_LENGTH,
        )
        unread = _unread(list_)
        waiting = overlooked.find(current_actor(), installation, list_, clinical=clinical)
    filters = {name: value for name, value in request.args.items() if name != "page" and value}
    list_lines = list(lines(listed))
    if number > 1:
        lines_of_day = []
    of_day = [line.expected.reference or line.expected.other for line in lines_of_day]
    of_list = (line.listed.reference for line in list_lines)
    on_page = list(dict.fromkeys((*filter(None, of_day), *of_list)))
    is_last = number * PAGE_LENGTH >= total or len(on_page) > LONGEST
    walk = Walk(references=tuple(on_page), query=filters, page=number, is_last=is_last)
    raised = dict.fromkeys((*waiting.unopened, *waiting.appointed))
    overlooked_walk = Walk(references=tuple(raised), query=filters)
    announced_count, announced_until, announced = retention.announced(
        db.session, days=installation.settings.retention_days, shown=failed_jobs.SHOWN
    )
    needing_attention = outbox.needing_attention(db.session, now=datetime.now(UTC))
    review.listed(current_actor(), lines=len(list_lines) + len(lines_of_day), searched=bool(typed))
    hours = min(question.valid_for_hours for question in language.book().questions)
    return render_template(
        "clinic/inbox.html",
        lines=list_lines,
        lines_of_day=lines_of_day,
        shows_day=installation.points.expected and number == 1 and not is_narrow,
        has_days=bool(installation.points.expected),
        day=day,
        asked_day=asked_day,
        order=order,
        groups=Group,
        walk=walk.sealed() if clinical else "",
        now=datetime.now(UTC),
        confirm_after=timedelta(hours=hours),
        today=current_installation().today(),
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
        failed_jobs=failed_jobs.grouped(needing_attention, installation.jobs_of_sent),
        more_failed=len(needing_attention) >= outbox.MOST_SHOWN,
        shown=failed_jobs.SHOWN,
        reasons=installation.points.reasons,
        unread=unread,
        overlooked=waiting,
        overlooked_walk=overlooked_walk.sealed() if clinical else "",
        printed_first=LONGEST if len(on_page) > LONGEST else 0,
        in_doubt=clock.doubt(db.session),
        announced=announced,
        announced_count=announced_count,
        announced_until=announced_until,
        newest=audit.head(db.session, installation.keys).number,
        too_many=chosen.references is not None
        and len(chosen.references) >= search_index.FOUND_AT_MOST,
    )


def _unread(list_: sqlite3.Connection) -> int:
    """Return the number of screenings that a new process has not read into its list yet."""
    if current_installation().worklist.is_whole:
        return 0
    (listed,) = list_.execute("SELECT count(*) FROM list").fetchone()
    return max(screenings.count(db.session) - listed, 1)


@blueprint.post("/search")
@needs("prescriber", "staff")
def search() -> Response:
    """Redirect to the inbox with the words searched for.

    They are sealed, so that no address and no log has a patient's name.
    """
    typed = tidy(request.form.get("search", ""))[:200]
    if not typed:
        return redirect(url_for("clinic.inbox"), code=303)
    sealed = sealed_for_me(typed.encode().ljust(256), table="search", column="words")
    return redirect(url_for("clinic.inbox", q=sealed, show="all"), code=303)


@blueprint.get("/arrivals")
@needs("prescriber", "staff", counts=False)
def arrivals() -> dict[str, int]:
    """Return the number of screenings that arrived after the audit row `after`.

    An open inbox requests this by script.
    """
    after = request.args.get("after", 0, type=int)
    after = min(max(after, 0), 2**31 - 1)  # the range of the column
    return {"arrived": audit.count(db.session, "submitted", after=after)}


def _shows(clinical: bool) -> list[str]:
    """Return the choices of the filter. Staff get none that shows a decision."""
    hidden = {"unreviewed"} if clinical else {"todo", "deferred"}
    if not current_installation().points.expected:
        hidden.add("unanswered")
    return [show for show in SHOWN if show not in hidden]


def _filter(args: MultiDict[str, str], *, clinical: bool, typed: str) -> Filter:
    """Return the filter in an address, without invalid values.

    Staff cannot filter by outcome.
    """
    outcomes = {severity.word: severity for severity in Severity} if clinical else {}
    shows = _shows(clinical)
    day = args.get("day", type=date.fromisoformat)
    mine = clinical and args.get("prescriber") == "mine"
    references = None
    if typed or args.get("q"):  # words that can no longer be opened find nothing
        references = search_index.find(db.session, current_installation().keys, typed)
    return Filter(
        show=args["show"] if args.get("show") in shows else "all" if day else shows[0],
        outcome=outcomes.get(args.get("outcome", "")),
        since=day or args.get("since", type=date.fromisoformat),
        to=day or args.get("to", type=date.fromisoformat),
        references=references,
        without_appointment=day is not None,
        prescriber=search_index.folded(current_user.full_name) if mine else None,
    )


def _opened(sealed: str) -> str:
    """Return the words searched for.

    They are empty where somebody else, or a key that was replaced since, has sealed them.
    """
    try:
        return opened_for_me(sealed, table="search", column="words").decode().strip()
    except (KeyFault, ValueError):  # ValueError: not base64
        return ""


@blueprint.get("/screenings/<reference>")
@needs("prescriber")
def screening(reference: str) -> Page:
    """Show the summary, with the form for a decision."""
    screening = _view(reference)
    form = ReviewForm(kept_form(), data={"seen": len(screening.entries)})
    return _screening_page(screening, form)


@blueprint.post("/screenings/<reference>/review")
@needs("prescriber")
def decide(reference: str) -> Page:
    """Record a decision."""
    form = ReviewForm(request.form)
    today = current_installation().today()
    meanwhile = None
    if form.validate():
        try:
            review.decide(
                current_actor(),
                reference,
                decision=Decision(form.decision.data),
                until=form.until.data,
                note=form.note.data,
                reason=form.reason.data,
                seen=form.seen.data or 0,
                today=today,
                jobs=current_installation().jobs_of_entry,
            )
            forget_kept(url_for("clinic.screening", reference=reference))
            current_installation().wake()
            return redirect(url_for("clinic.screening", reference=reference), code=303)
        except review.DayNeeded:
            message = _("Enter a date after today (%(today)s)", today=today.isoformat())
            form.until.errors = [message]
        except review.ReasonNeeded:
            message = _("A contraindication is reported: give your reason for proceeding")
            form.reason.errors = [message]
        except review.NewerAnswers:
            form.reason.errors = [
                _("Newer answers have arrived: give your reason for deciding on these older ones")
            ]
        except review.ChangedMeanwhile as err:
            meanwhile = err.entry
    screening = _view(reference)
    form.seen.data = len(screening.entries)
    return _screening_page(screening, form, meanwhile), 409 if meanwhile else 200


@blueprint.route("/screenings/<reference>/clarify/<question_id>", methods=["GET", "POST"])
@needs("prescriber")
def clarify(reference: str, question_id: str) -> Page:
    """Record what was established on one question."""
    screening = _view(reference)
    book = _book(screening)
    meanwhile = None
    question = book.question(question_id) or abort(404)
    form = question_form(ClarifyForm, book, question, request.form or kept_form())
    if request.method == "POST" and form.validate():
        try:
            review.clarify(
                current_actor(),
                reference,
                question=question,
                answers=form.answers,
                why=form.why.data,
                seen=form.seen.data or 0,
                jobs=current_installation().jobs_of_entry,
            )
            forget_kept(request.path)
            current_installation().wake()
            return redirect(url_for("clinic.screening", reference=reference), code=303)
        except review.ChangedMeanwhile as err:
            meanwhile = err.entry
    form.seen.data = len(screening.entries)
    summary = current_installation().printer.summary(screening)
    asked = {item.id for item in question.page}
    page = render_template(
        "clinic/clarify.html",
        form=form,
        question=question,
        follow_ups=follow_up_places(question, without="private"),
        summary=summary,
        rows=[row for row in summary.answers if row.id in asked],
        meanwhile=meanwhile,
    )
    return page, 409 if meanwhile else 200


@blueprint.get("/screenings/<reference>/summary.pdf")
@needs("prescriber")
def summary_pdf(reference: str) -> Page:
    """Return the printed summary, to be shown or, with `?download=1`, saved."""
    reference = _view(reference, action="printed").reference
    try:
        content = current_installation().printer.pdf(reference)
    except printing.NotPrinted as err:
        page = render_template("clinic/not_printed.html", reference=reference, failed=err.failed)
        return page, 503
    return pdf_response(content, f"summary-{reference}.pdf")


@blueprint.post("/print")
@needs("prescriber")
def print_chosen() -> Page:
    """Return the summaries of all chosen, or of a whole page of the list, as one PDF."""
    chosen = opened_walk(request.form.get("all", "")).references or request.form.getlist(
        "reference"
    )
    references = list(dict.fromkeys(map(search_index.normal_reference, chosen)))
    if not 0 < len(references) <= LONGEST:
        flash(_("Choose the screenings to print first: %(most)s at most.", most=LONGEST))
        return redirect(opened_walk(request.form.get("list", "")).back, code=303)
    title = _("Pre-visit screenings: %(count)s", count=len(references))
    try:
        printed = print_several(
            current_actor(), current_installation().printer, references, title=title
        )
    except NotAllPrinted as err:
        page = render_template("clinic/not_all_printed.html", ready=err.ready, missing=err.missing)
        return page, 503
    return pdf_response(printed, f"summaries-{current_installation().today().isoformat()}.pdf")


@blueprint.post("/retry")
@needs("prescriber", "staff")
def retry() -> Response:
    """Retry the jobs that failed: all, or all of one kind."""
    jobs.retry(current_actor(), kind=request.form.get("kind", ""))
    current_installation().wake()
    flash(_("Another attempt has been started. If it fails, this will be shown here again."))
    return redirect(url_for("clinic.inbox"), code=303)


@blueprint.get("/screenings/<reference>/copy")
@needs("prescriber")
def copy(reference: str) -> Page:
    """Show the patient's copy in the patient's language, to be printed and handed over."""
    screening = _view(reference, action="copied")
    book = _patients_book(screening)
    g.page_language = book.language
    refresh()
    back = url_for("clinic.screening", reference=screening.reference)
    pdf = url_for("clinic.copy_pdf", reference=screening.reference)
    return copy_page(screening, book, back=back, pdf=pdf)


@blueprint.get("/screenings/<reference>/copy.pdf")
@needs("prescriber")
def copy_pdf(reference: str) -> Page:
    """Return the patient's copy as a PDF."""

    def make() -> Response:
        screening = _view(reference, action="copied")
        return copy_response(screening, _patients_book(screening))

    return in_turn(make, back=url_for("clinic.screening", reference=reference))


@blueprint.get("/paper")
@needs("prescriber", "staff")
def paper() -> Page:
    """Show what can be printed for patients, in each language."""
    return render_template("clinic/paper.html", kinds=BLANKS, offered=language.offered())


@blueprint.get("/statistics")
@needs("prescriber")
def statistics() -> Page:
    """Show the number of screenings by outcome, the open questions, and the time to review.

    No patient is named.
    """
    installation = current_installation()
    first = current_installation().today() - timedelta(days=STATISTICS_DAYS - 1)
    with installation.worklist.current(
        db.session,
        installation.keys,
        timezone=installation.settings.clinic_timezone,
        today=current_installation().today(),
    ) as list_:
        per_day = installation.worklist.per_day(list_, since=first)
        unread = _unread(list_)
        left_open = installation.worklist.left_open(list_, since=first)
    days = [first + timedelta(days=number) for number in range(STATISTICS_DAYS)]
    highest = max((sum(counts.values()) for counts in per_day.values()), default=0)
    since = datetime.combine(
        first, datetime.min.time(), ZoneInfo(installation.settings.clinic_timezone)
    )
    topics = {
        item.id: item.topic
        for item in installation.books[installation.settings.clinic_language].asked()
    }
    total = sum(sum(counts.values()) for counts in per_day.values())
    return render_template(
        "clinic/statistics.html",
        bars=bars(days, per_day, highest),
        highest=highest,
        size=(WIDTH, HEIGHT),
        span=(days[0], days[-1]),
        days=[(on, per_day[on]) for on in days if on in per_day],
        severities=list(reversed(Severity)),
        open_questions=[(topics.get(item, item), counts) for item, counts in left_open],
        median=waiting_times.median_time_to_review(db.session, since),
        count=STATISTICS_DAYS,
        unread=unread,
        sample=waiting_times.SAMPLE if total > waiting_times.SAMPLE else 0,
    )


@blueprint.errorhandler(screenings.NoSuchScreening)
def _no_such_screening(error: screenings.NoSuchScreening) -> Page:
    return render_template("clinic/no_such_screening.html"), 404


def _screening_page(screening: Screening, form: ReviewForm, meanwhile: Entry | None = None) -> str:
    now = datetime.now(UTC)
    summary = current_installation().printer.summary(screening)
    book = _book(screening)
    others = same_person.shown(screening, summary)
    page_of = {item.id: question for question in book.questions for item in question.page}
    since = {row.id: screening.known_since(row.id) for row in summary.answers}
    outdated = {item for item in since if screening.outdated(page_of[item], now)}
    ages = {}
    if outdated or len(set(since.values())) > 1:  # else all are recent and of the same age
        ages = {item: now - at for item, at in since.items()}
    return render_template(
        "clinic/screening.html",
        summary=summary,
        status=screening.status.value,
        form=form,
        decisions=[(decision.value, label(decision, book.language)) for decision in Decision],
        ages=ages,
        outdated=outdated,
        meanwhile=meanwhile,
        others=others,
        reason_label=_reason_label(summary.outcome, is_older=others.newest is not None),
        notices=[notice(screening) for notice in current_installation().points.notices],
        walk=opened_walk(request.args.get("list", "")),
    )


def _reason_label(outcome: Severity, *, is_older: bool) -> str:
    """Return what a reason is asked for, or "" where none is needed."""
    contraindicated = outcome is Severity.CONTRAINDICATION
    if is_older and contraindicated:
        return _("If deciding on these older answers, or despite a reported contraindication, why?")
    if is_older:
        return _("Newer answers have arrived. If deciding on these older ones, why?")
    if contraindicated:
        return _("If proceeding despite a reported contraindication, why?")
    return ""


def _view(reference: str, *, action: str = "viewed") -> Screening:
    return review.view(current_actor(), search_index.normal_reference(reference), action=action)


def _patients_book(screening: Screening) -> RuleBook:
    """Return the edition of a screening in the language that the patient answered in."""
    books = editions.books_of(db.session, current_installation().keys, screening)
    return books.get(screening.language, _book(screening))


def _book(screening: Screening) -> RuleBook:
    """Return the edition of a screening in the clinic's language."""
    books = editions.books_of(db.session, current_installation().keys, screening)
    return in_language_of(current_installation().settings, books)


@blueprint.app_template_filter("moment")
def _moment(at: datetime) -> str:
    settings = current_installation().settings
    return moment(at, settings.clinic_language, settings.clinic_timezone)


@blueprint.app_template_filter("clock")
def _clock(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(current_installation().settings.clinic_timezone)):%H:%M}"


@blueprint.app_template_filter("day")
def _day(on: date) -> str:
    return day(on, current_installation().settings.clinic_language)


@blueprint.app_template_filter("severity")
def _severity(severity: Severity) -> str:
    return label(severity, current_installation().settings.clinic_language)
