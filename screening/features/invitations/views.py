"""Invitations: staff make the link of one visit, and the patient opens it."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import segno
from flask import Blueprint, abort, flash, g, redirect, render_template, request, session, url_for
from flask_babel import format_date, ngettext, refresh
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from screening.domain.answers import Patient
from screening.domain.assessment import Screening
from screening.extension_points import Mailer
from screening.extensions import db
from screening.features.invitations import service, store
from screening.features.invitations import slip as printed_slip
from screening.features.invitations.forms import InvitationForm
from screening.features.invitations.invitation import Invitation, is_same, last_moment
from screening.features.invitations.service import NotUsable, TooLate, WrongPatient
from screening.features.invitations.store import TRIES, StoredInvitation
from screening.installation import current_installation
from screening.printing.renderer_process import PrintingFailed
from screening.services import review
from screening.services.jobs import JobFailed
from screening.storage import screenings
from screening.storage.drafts import hash_token
from screening.storage.private_files import KeyFault
from screening.storage.tables import ScreeningRow
from screening.web import language
from screening.web.errors import Page
from screening.web.forms.about_you import BirthDateForm
from screening.web.paging import page_number
from screening.web.patient import draft as patient_draft
from screening.web.patient import draft_cookie
from screening.web.pdf import not_printed, pdf_response
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint(
    "invitations",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static/invitations",
)
link = Blueprint("invited", __name__)

PAGE_LENGTH = 50


@blueprint.get("/clinic/invitations/")
@needs("prescriber", "staff")
def overview() -> str:
    """Show the invitations whose answers may still come; with `?show=all` every one."""
    number = page_number()
    show = request.args.get("show", "")
    keys = current_installation().keys
    now = datetime.now(UTC)
    first = (number - 1) * PAGE_LENGTH
    if show == "all":
        total = store.count(db.session)
        invitations = store.listed(db.session, keys, now=now, offset=first, limit=PAGE_LENGTH)
    else:
        every = store.awaited(db.session, keys, now=now)
        total = len(every)
        invitations = every[first : first + PAGE_LENGTH]
    review.listed(current_actor(), lines=len(invitations), searched=False)
    return render_template(
        "invitations/overview.html",
        invitations=invitations,
        show=show,
        number=number,
        length=PAGE_LENGTH,
        total=total,
    )


@blueprint.route("/clinic/invitations/new", methods=["GET", "POST"])
@needs("prescriber", "staff")
def new() -> Page:
    """Invite a patient; with `?again=` and an id, the patient of that invitation."""
    settings = current_installation().settings
    sent = request.form if request.method == "POST" else None
    earlier = None
    if "again" in request.args:
        source = _find(request.args["again"])
        service.viewed(current_actor(), source.id)
        earlier = source.invitation
    form = InvitationForm.read(sent, earlier, languages=language.offered(), settings=settings)
    if sent is not None and form.check(
        languages=settings.languages,
        today=current_installation().today(),
        timezone=settings.clinic_timezone,
    ):
        actor = current_actor()
        until = last_moment(
            now=actor.now, days=form.days.data or 1, timezone=settings.clinic_timezone
        )
        # A form that is sent twice makes one invitation; a form that was changed makes another.
        new_id = str(form.id.data)
        row = store.find(db.session, actor.keys, new_id, now=actor.now)
        if row is not None and (row.invitation, row.expires_at) != (form.invitation, until):
            new_id = service.new_id()
        service.create(actor, {new_id: form.invitation}, until=until)
        return redirect(url_for("invitations.details", invitation_id=new_id), code=303)
    return render_template("invitations/new.html", form=form, mail=_mailer() is not None)


@blueprint.get("/clinic/invitations/<invitation_id>")
@needs("prescriber", "staff")
def details(invitation_id: str) -> str:
    """Show an invitation, with its link while that can be used."""
    stored = _find(invitation_id)
    service.viewed(current_actor(), stored.id)
    address = (
        service.address(current_installation().settings, current_actor(), invitation_id)
        if stored.is_usable
        else ""
    )
    code = segno.make(address, error="m", micro=False) if address else None
    return render_template(
        "invitations/details.html",
        stored=stored,
        address=address,
        later=screenings.together(db.session, current_installation().keys, stored.reference)[1:],
        other_patient=_other(stored),
        qr=code.svg_inline(omitsize=True, border=4, light="#fff", title=_("QR code"))
        if code
        else "",
        mail=_mailer() is not None,
        names=dict(language.offered()),
    )


@blueprint.get("/clinic/invitations/<invitation_id>/slip.pdf")
@needs("prescriber", "staff")
def slip(invitation_id: str) -> Page:
    """Print the slip for the patient, with link and QR code."""
    stored = _find(invitation_id)
    installation = current_installation()
    if stored.invitation is None or not stored.is_usable:
        abort(404)
    service.viewed(current_actor(), stored.id, action="slip printed")
    address = service.address(installation.settings, current_actor(), stored.id)
    back = url_for("invitations.details", invitation_id=stored.id)
    db.session.rollback()  # no transaction stays open while this is printed
    try:
        book = installation.books.get(stored.invitation.language, language.book())
        printed = printed_slip.printed(
            stored.invitation, book, installation.settings, address=address, until=stored.expires_at
        )
    except PrintingFailed:
        return not_printed(back)
    return pdf_response(printed.content, f"invitation-{stored.id[: service.SHORT_ID]}.pdf")


@blueprint.post("/clinic/invitations/<invitation_id>/revoke")
@needs("prescriber", "staff")
def revoke(invitation_id: str) -> Response:
    """Make the link worthless."""
    service.revoke(current_actor(), _find(invitation_id).id)
    return redirect(url_for("invitations.details", invitation_id=invitation_id), code=303)


@blueprint.post("/clinic/invitations/<invitation_id>/remind")
@needs("prescriber", "staff")
def remind(invitation_id: str) -> Response:
    """Send the link by e-mail."""
    stored = _find(invitation_id)
    mailer = _mailer()
    if mailer is None or stored.invitation is None or not stored.invitation.email:
        abort(404)
    try:
        service.remind(current_actor(), current_installation().settings, stored.id, mailer)
        flash(_("The reminder was sent."))
    except JobFailed as err:
        reason = _(current_installation().points.reasons[err.fault])
        flash(_("The reminder was not sent.") + " " + reason)
    except NotUsable:
        pass  # the page shows the state of the invitation
    return redirect(url_for("invitations.details", invitation_id=invitation_id), code=303)


def notice(screening: Screening) -> str:
    """Return the HTML that names the invited patient, or "" if that patient has answered."""
    with suppress(KeyFault):
        invitation = store.behind(db.session, current_installation().keys, screening)
        if invitation is not None and not is_same(invitation.patient, screening.patient):
            return render_template("invitations/notice.html", invited=invitation.patient)
    return ""


def invited_patient(draft_hash: str, replaces: str) -> Patient | None:
    """Return the invited patient behind a draft, or None where it has no invitation."""
    with suppress(KeyFault):
        invitation = store.behind_draft(
            db.session, current_installation().keys, draft_hash, replaces=replaces
        )
        if invitation is not None:
            return invitation.patient
    return None


def _other(stored: StoredInvitation) -> Patient | None:
    """Return the patient who has answered, or None if that is the invited one."""
    with suppress(KeyFault):
        sent = screenings.find(
            db.session, current_installation().keys, ScreeningRow.reference == stored.reference
        )
        if (
            sent is not None
            and stored.invitation is not None
            and not is_same(stored.invitation.patient, sent.patient)
        ):
            return sent.patient
    return None


def _find(invitation_id: str) -> StoredInvitation:
    return store.find(
        db.session, current_installation().keys, invitation_id, now=datetime.now(UTC)
    ) or abort(404)


def _mailer() -> Mailer | None:
    """Return the mailer by which reminders go, or None where the clinic sends no mail."""
    return next(iter(current_installation().points.mailers), None)


@link.route("/invited/<token>", methods=["GET", "POST"], strict_slashes=False)
def open_link(token: str) -> Page:
    """Ask for the date of birth.

    With the right one the questions begin or go on, or the page shows that answers were sent.
    """
    row, invitation = service.look(patient_draft.current_actor(), token)
    _in_their_language(invitation)
    if request.method == "POST":
        return _say_birth_date(row.id, token)
    if (
        row.draft_hash == hash_token(draft_cookie.draft_token())
        and patient_draft.find_draft() is not None
    ):
        return redirect(url_for("patient.resume"), code=303)
    born = session.get("born", {})
    is_here = born.get("path") == request.path
    form = BirthDateForm(MultiDict(born["values"]) if is_here else None)
    if is_here and born["checked"] and _fits(form) and born["values"] == born["refused"]:
        form.birth_day.errors = [
            ngettext(
                "The clinic has another date of birth for this link. "
                "You can try %(num)s more time. If you typed it right, call the clinic",
                "The clinic has another date of birth for this link. "
                "You can try %(num)s more times. If you typed it right, call the clinic",
                TRIES - row.tries,
            )
        ]
    others = patient_draft.find_draft() is not None
    until = format_date(row.expires_at, "long")
    return render_template(
        "invitations/invited.html", form=form, book=language.book(), others=others, until=until
    )


def _fits(form: BirthDateForm) -> bool:
    return form.check(
        languages=current_installation().settings.languages, today=current_installation().today()
    )


def _say_birth_date(invitation_id: str, token: str) -> Response:
    """Continue with the right date of birth.

    A wrong one is stored in the session and shown after a redirect.
    """
    form = BirthDateForm(request.form)
    switched = language.switch()
    earlier = session.pop("born", {})
    values = {name: (value or "")[:20] for name, value in form.data.items()}
    refused = earlier.get("refused")
    if not switched and _fits(form):
        try:
            keep = timedelta(hours=current_installation().settings.draft_hours)
            draft_token, draft = service.redeem(
                patient_draft.current_actor(), token, form.birth_date, keep=keep
            )
            session["language"] = language.chosen()
            if draft is None:
                session["proved"] = [invitation_id, time.time()]
                return redirect(url_for("invited.arrived", token=token), code=303)
            return draft_cookie.remember(
                draft_token,
                url_for("patient.resume" if draft.answers.given else "patient.about_you"),
            )
        except WrongPatient:
            refused = values
    checked = not switched or bool(earlier.get("checked"))
    session["born"] = {
        "path": request.path,
        "values": values,
        "checked": checked,
        "refused": refused,
    }
    return redirect(request.path, code=303)


@link.route("/invited/<token>/sent", methods=["GET", "POST"])
def arrived(token: str) -> Page:
    """Show, after the date of birth, when the answers arrived.

    They can be changed for some time.
    """
    row, invitation = service.look(patient_draft.current_actor(), token)
    _in_their_language(invitation)
    installation = current_installation()
    (proved, at) = session.get("proved", ("", 0))
    sent = service.latest(patient_draft.current_actor(), row)
    if (
        sent is None
        or proved != row.id
        or time.time() - at > installation.settings.copy_minutes * 60
    ):
        return redirect(url_for("invited.open_link", token=token), code=303)
    until = sent.submitted_at + timedelta(hours=installation.settings.change_hours)
    if request.method == "POST":
        if (draft := patient_draft.find_draft()) is None or draft.replaces != (
            sent.replaces or sent.reference
        ):
            with suppress(TooLate):
                given = service.change(
                    patient_draft.current_actor(),
                    token,
                    installation.books,
                    until=until,
                    keep=draft_cookie.keep_draft(),
                )
                return draft_cookie.remember(given, url_for("patient.resume"))
        return redirect(
            url_for("invited.arrived", token=token) if draft is None else url_for("patient.resume"),
            303,
        )
    return render_template(
        "invitations/arrived.html", sent=sent, until=until if until > datetime.now(UTC) else None
    )


def _in_their_language(invitation: Invitation) -> None:
    """Show the page in the language of the invitation, unless the device has chosen another."""
    if draft_cookie.language() is None:
        g.page_language = invitation.language
        refresh()


@link.errorhandler(NotUsable)
def _not_usable(error: NotUsable) -> Page:
    if request.method == "POST":
        return redirect(url_for("invited.open_link", **request.view_args or {}), code=303)
    row = store.row_of(db.session, (request.view_args or {})["token"])
    if row is not None:
        with suppress(KeyFault):
            _in_their_language(store.read(row, current_installation().keys))
    status = 404 if error.state is None else 410
    return render_template("invitations/link_not_usable.html", state=error.state or ""), status
