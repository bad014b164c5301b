"""Pages for admins: people, audit log, settings. Nothing on them is clinical."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_security import hash_password
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.installation import current_installation
from screening.operating import clock
from screening.services import people as service
from screening.storage import audit as audit_log
from screening.web.paging import page_number
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

AUDIT_PAGE = 100


@blueprint.get("/people")
@needs("admin", fresh=True)
def people() -> str:
    """Show all who may sign in, and a form to add a person."""
    return _people_page()


@blueprint.post("/people")
@needs("admin", fresh=True)
def add_person() -> str:
    """Add a person and show the one-time password, once."""
    typed = {name: request.form.get(name, "") for name in ("sign_in_name", "full_name")}
    roles = request.form.getlist("roles")
    password = service.one_time_password()
    try:
        service.add(
            current_actor(),
            typed["sign_in_name"],
            typed["full_name"],
            roles,
            hash_password(password),
            hours=current_installation().settings.one_time_hours,
        )
    except service.NotAccepted as err:
        return _people_page(fault=str(err), typed=typed, chosen=roles)
    return _people_page(password=(service.normal_name(typed["sign_in_name"]), password))


@blueprint.post("/people/<sign_in_name>")
@needs("admin", fresh=True)
def change_person(sign_in_name: str) -> str | Response:
    """Change one attribute of a person, named by the button pressed."""
    if "sign-out" in request.form:
        service.end(current_actor(), sign_in_name, token_hash=None)
        return redirect(url_for("admin.people"), code=303)
    password = service.one_time_password() if "reset-password" in request.form else None
    try:
        service.change(
            current_actor(),
            sign_in_name,
            roles=request.form.getlist("roles") if "change-roles" in request.form else None,
            active=_pressed("enable", "disable"),
            totp_required=_pressed("require-totp", "free-totp"),
            hashed=hash_password(password) if password else None,
            hours=current_installation().settings.one_time_hours,
        )
    except service.NotAccepted as err:
        return _people_page(fault=str(err))
    if password:
        return _people_page(password=(sign_in_name, password))
    return redirect(url_for("admin.people"), code=303)


def _pressed(yes: str, no: str) -> bool | None:
    """Return whether the button `yes` was pressed, or None where neither was."""
    return yes in request.form if {yes, no} & {*request.form} else None


def _people_page(
    *,
    fault: str = "",
    typed: dict[str, str] | None = None,
    chosen: list[str] | None = None,
    password: tuple[str, str] | None = None,
) -> str:
    fields = {service.NO_ROLE: "roles", service.FULL_NAME: "full_name"}
    return render_template(
        "clinic/people.html",
        people=service.everyone(db.session),
        fault=fault and _(fault),
        at_fault=fields.get(fault, "sign_in_name"),
        typed=typed or {"sign_in_name": "", "full_name": ""},
        chosen=chosen or [],
        password=password,
        one_time_hours=current_installation().settings.one_time_hours,
        has_ended=service.one_time_password_ended,
        now=datetime.now(UTC),
    )


@blueprint.get("/audit")
@needs("admin")
def audit() -> str:
    """Show the audit log, the newest rows first."""
    number = page_number()
    total = audit_log.size(db.session)
    rows = audit_log.rows(
        db.session, newest_first=True, after=(number - 1) * AUDIT_PAGE, limit=AUDIT_PAGE
    )
    return render_template(
        "clinic/audit.html", rows=rows, number=number, length=AUDIT_PAGE, total=total
    )


@blueprint.get("/settings")
@needs("admin")
def settings() -> str:
    """Show the clock and each setting with its origin and purpose."""
    in_doubt = clock.doubt(db.session)
    return render_template(
        "clinic/settings.html",
        origins=current_installation().settings.described(),
        now=datetime.now(UTC),
        in_doubt=in_doubt,
        jumped=in_doubt and timedelta(seconds=float(in_doubt.detail.split()[0])),
    )


@blueprint.post("/clock")
@needs("admin")
def confirm_clock() -> Response:
    """Confirm that the clock is right."""
    clock.confirm(current_actor(), clock.this_machine(), was_off="was-off" in request.form)
    flash(_("Confirmed. Screenings will again be deleted at the end of their retention period."))
    return redirect(url_for("admin.settings"), code=303)
