"""Pages on which prescribers read, compare, approve and print an edition of the rule book."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_security import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.comparison import Comparison, compare
from screening.domain.rules import BASE_LANGUAGE
from screening.extensions import db
from screening.installation import current_installation
from screening.printing import rule_book as printed_rule_book
from screening.reports import rule_book as report
from screening.rulebooks.adopt import is_packaged_newer
from screening.rulebooks.load import InvalidRuleBook
from screening.services import compare as effects
from screening.services import editions as service
from screening.services.editions import Books
from screening.settings import InvalidSettings
from screening.storage import editions
from screening.storage.editions import VersionUsed
from screening.web.errors import Page
from screening.web.forms.approval import ApprovalForm, WithdrawalForm, errors_of
from screening.web.pdf import in_turn, pdf_response
from screening.web.sign_in.forms import ProofForm
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint("rule_book", __name__, url_prefix="/clinic/rule-book")

A_YEAR = timedelta(days=365)


@blueprint.get("/")
@needs("prescriber", "admin")
def shown() -> Page:
    """Show the edition that the address names, else the one in the file.

    The page has the whole edition, what it changes and its approvals.
    """
    return _page(_books(request.args.get("edition", "")))


@blueprint.get("/<digest>.pdf")
@needs("prescriber", "admin")
def pdf(digest: str) -> Page:
    """Return the edition as a PDF, with space for signatures."""
    books = _books(digest)
    installation = current_installation()
    comparison = _comparison(books)
    day = current_installation().today()

    def make() -> Response:
        content = printed_rule_book.printed(
            books,
            comparison,
            installation.settings,
            on=day,
            needed=installation.settings.approvals_needed,
        )
        return pdf_response(content, f"rule-book-{books[BASE_LANGUAGE].edition.version}.pdf")

    return in_turn(make, back=url_for("rule_book.shown", edition=digest))


@blueprint.post("/<digest>/approve")
@needs("prescriber")
def approve(digest: str) -> Page:
    """Approve an edition."""
    books = _books(digest)
    settings = current_installation().settings
    form = ApprovalForm(request.form)
    proof = ProofForm(user=current_user)
    today = current_installation().today()
    review_by = form.review_by.data
    if not (form.check(today) and review_by and proof.validate()):
        return _page(books, form, proof)
    actor = current_actor()
    from_at = actor.now
    if form.from_day.data:
        zone = ZoneInfo(settings.clinic_timezone)
        from_at = datetime.combine(form.from_day.data, time(), zone).astimezone(UTC)
    try:
        current_installation().check_languages(books)  # without its language no page could be shown
        is_whole = service.approve(
            actor,
            books[BASE_LANGUAGE].edition,
            role=form.role.data,
            on=today,
            review_by=review_by,
            needed=settings.approvals_needed,
            from_at=from_at,
        )
        flash(_("Approved.") if is_whole else _("Approved. One more prescriber must approve it."))
    except service.ApprovedAlready:
        flash(_("You have approved this edition already. Somebody else has to be the second."))
    except (VersionUsed, InvalidSettings) as err:
        flash(str(err))
    return redirect(url_for("rule_book.shown", edition=digest), code=303)


@blueprint.route("/<digest>/withdraw/<approval_id>", methods=["GET", "POST"])
@needs("prescriber")
def withdraw(digest: str, approval_id: str) -> Page:
    """Withdraw an approval."""
    edition = _books(digest)[BASE_LANGUAGE].edition
    actor = current_actor()
    rows = editions.approvals(db.session, actor.keys, edition.digest)
    row = next((row for row in rows if row.id == approval_id), None)
    if row is None:
        flash(_("This approval is withdrawn."))
        return redirect(url_for("rule_book.shown", edition=digest), code=303)
    form = WithdrawalForm(request.form)
    proof = ProofForm(user=current_user)
    if request.method == "POST" and form.check() and proof.validate():
        with suppress(service.NoSuchApproval):  # somebody else has just withdrawn it
            service.withdraw(actor, approval_id, edition, why=form.why.data)
        flash(_("This approval is withdrawn."))
        return redirect(url_for("rule_book.shown", edition=digest), code=303)
    return render_template(
        "clinic/rule_book_withdraw.html",
        row=row,
        edition=edition,
        form=form,
        proof=proof,
        errors=errors_of(form, proof),
    )


def _books(digest: str) -> Books:
    """Return the edition with this digest, from the file or the database.

    Without a digest it is the edition in the file, or the one in force where the file is invalid.
    """
    installation = current_installation()
    try:
        candidate = installation.read(installation.rule_book_file)
        if digest in ("", candidate[BASE_LANGUAGE].edition.digest):
            digest = candidate[BASE_LANGUAGE].edition.digest
            return service.approved(
                candidate, service.approvals_at(db.session, installation.keys, digest)
            )
    except InvalidRuleBook:
        pass  # the page shows the faults
    if digest and digest not in editions.beginning(db.session, digest):
        abort(404)
    return (
        service.books_at(db.session, installation.keys, digest)
        if digest
        else installation.approved_books
    )


def _comparison(books: Books) -> Comparison | None:
    """Return what an edition changes, or None for the edition in force."""
    current = current_installation().approved_books
    language = current_installation().settings.clinic_language
    if books[BASE_LANGUAGE].edition.digest == current[BASE_LANGUAGE].edition.digest:
        return None
    return compare(current, books, language)


def _page(books: Books, form: ApprovalForm | None = None, proof: ProofForm | None = None) -> str:
    installation = current_installation()
    now = datetime.now(UTC)
    faults = []
    can_be_approved = True
    edition = books[BASE_LANGUAGE].edition
    comparison = _comparison(books)
    try:
        editions.refuse_used_version(db.session, edition)
        installation.check_languages(books)
        installation.read(installation.rule_book_file)
    except (InvalidRuleBook, InvalidSettings, VersionUsed) as err:
        faults = str(err).splitlines()
        can_be_approved = isinstance(err, InvalidRuleBook)
    effect = None
    if comparison and "assess" in request.args and current_user.has_role("prescriber"):
        effect = effects.effect(
            current_actor(),
            comparison.old,
            comparison.new,
            since=now - timedelta(days=effects.DAYS),
        )
        effects.seen(current_actor(), effect)
    today = installation.today()
    form = form or ApprovalForm(MultiDict({"review_by": (today + A_YEAR).isoformat()}))
    approvals = editions.approvals(db.session, installation.keys, edition.digest)
    proof = proof or ProofForm(formdata=None, user=current_user)
    return render_template(
        "clinic/rule_book.html",
        **report.values(books, installation.settings, on=today),
        current=installation.approved_books[BASE_LANGUAGE].edition,
        file=installation.rule_book_file,
        is_adopted=installation.rule_book_folder.exists(),
        is_packaged_newer=is_packaged_newer(installation.rule_book_folder),
        faults=faults,
        can_be_approved=can_be_approved,
        comparison=comparison,
        effect=effect,
        days=effects.DAYS,
        coming=editions.coming(db.session, now=now),
        waiting=editions.waiting(db.session),
        approvals=approvals,
        withdrawn=editions.withdrawn(db.session, installation.keys, edition.digest),
        has_approved=current_user.sign_in_name in [row.person for row in approvals],
        needed=installation.settings.approvals_needed,
        is_overdue=edition.overdue_since(today) is not None,
        form=form,
        proof=proof,
        errors=errors_of(form, proof),
    )
