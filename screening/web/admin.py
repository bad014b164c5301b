"""For admins: people, audit log, settings. Nothing clinical."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_security import hash_password
from werkzeug.wrappers import Response

from screening.extensions import db
from screening.installation import installation
from screening.operating import clock
from screening.services import people as service
from screening.storage import audit as audit_log
from screening.web.paging import page_number
from screening.web.sign_in.guards import acting, needs

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

AUDIT_PAGE = 100


@blueprint.get("/people")
@needs("admin", fresh=True)
def people() -> str:
    """Everybody who may sign in, and a form to add somebody."""
    return _people_page()


@blueprint.post("/people")
@needs("admin", fresh=True)
def add_person() -> str:
    """Add somebody and show the one-time password, once."""
    typed = {name: request.form.get(name, "") for name in ("sign_in_name", "full_name")}
    roles = request.form.getlist("roles")
    password = service.one_time_password()
    try:
        service.add(
            acting(), typed["sign_in_name"], typed["full_name"], roles, hash_password(password)
        )
    except service.NotAccepted as err:
        return _people_page(fault=str(err), typed=typed, chosen=roles)
    return _people_page(password=(service.normal_name(typed["sign_in_name"]), password))


@blueprint.post("/people/<sign_in_name>")
@needs("admin", fresh=True)
def change_person(sign_in_name: str) -> str | Response:
    """Change one thing about somebody: what the pressed button says."""
    if "sign-out" in request.form:
        service.end(acting(), sign_in_name, token_hash=None)
        return redirect(url_for("admin.people"), code=303)
    password = service.one_time_password() if "reset-password" in request.form else None
    switches = {"enable": True, "disable": False}
    codes = {"require-totp": True, "free-totp": False}
    try:
        service.change(
            acting(),
            sign_in_name,
            roles=request.form.getlist("roles") if "change-roles" in request.form else None,
            active=next((value for name, value in switches.items() if name in request.form), None),
            totp_required=next(
                (value for name, value in codes.items() if name in request.form), None
            ),
            hashed=hash_password(password) if password else None,
        )
    except service.NotAccepted as err:
        return _people_page(fault=str(err))
    if password:
        return _people_page(password=(sign_in_name, password))
    return redirect(url_for("admin.people"), code=303)


def _people_page(
    *,
    fault: str = "",
    typed: dict[str, str] | None = None,
    chosen: list[str] | None = None,
    password: tuple[str, str] | None = None,
) -> str:
    return render_template(
        "clinic/people.html",
        people=service.everyone(db.session),
        fault=fault and _(fault),
        at_fault={service.NO_ROLE: "roles", service.FULL_NAME: "full_name"}.get(
            fault, "sign_in_name"
        ),
        typed=typed or {"sign_in_name": "", "full_name": ""},
        chosen=chosen or [],
        password=password,
    )


@blueprint.get("/audit")
@needs("admin")
def audit() -> str:
    """The audit log, the newest first."""
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
    """The clock, and each setting, where it came from and what it does."""
    in_doubt = clock.doubt(db.session)
    return render_template(
        "clinic/settings.html",
        origins=installation().settings.described(),
        now=datetime.now(UTC),
        in_doubt=in_doubt,
        jumped=in_doubt and timedelta(seconds=float(in_doubt.detail.split()[0])),
    )


@blueprint.post("/clock")
@needs("admin")
def confirm_clock() -> Response:
    """Trust the clock as it is."""
    clock.confirm(acting(), clock.this_machine(), was_off="was-off" in request.form)
    flash(_("Confirmed. Screenings will again be deleted at the end of their retention period."))
    return redirect(url_for("admin.settings"), code=303)
