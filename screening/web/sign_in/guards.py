"""Access to pages: roles, ended sign-ins, and forms that are kept when a sign-in ends."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_security import current_user, logout_user, url_for_security
from werkzeug.datastructures import MultiDict

from screening.extensions import db
from screening.installation import current_installation
from screening.services import people, questionnaire
from screening.storage import drafts
from screening.storage.audit import Actor
from screening.storage.drafts import Typed, hash_token
from screening.storage.tables import PersonRow, SignInRow

# For which people and credentials can be changed after the password was entered.
FRESH = timedelta(minutes=15)
# Endpoints whose forms are kept when a sign-in ends, with the page on which each is filled in.
KEPT = {
    "clinic.decide": "clinic.screening",
    "clinic.clarify": "clinic.clarify",
    "paper_entry.about_you": "paper_entry.about_you",
    "paper_entry.question": "paper_entry.question",
}


def needs(
    *roles: str, fresh: bool = False, counts: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for views that need one of the roles (none: any signed-in person).

    With `fresh` the password is asked for again after a while. `counts` is False for requests by
    script, which must not extend the idle time-out.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return _refusal(roles, fresh=fresh, counts=counts) or view(*args, **kwargs)

        return checked

    return decorate


def _refusal(roles: tuple[str, ...], *, fresh: bool, counts: bool) -> Any:
    """Return the response to a person who may not open the page yet, or None."""
    if not current_user.is_authenticated:
        return _sign_in_first()
    row = current_sign_in()
    if row is None:
        forget_sign_in()
        return _sign_in_first()
    if counts and row.seen_at < datetime.now(UTC) - people.SEEN_EVERY:
        people.seen(session=db.session, token_hash=row.token_hash, now=datetime.now(UTC))
    if page := _unready():
        return redirect(url_for_security(page))
    if roles and not any(current_user.has_role(role) for role in roles):
        abort(403)
    if fresh and not is_fresh():
        return redirect(url_for_security("verify", next=url_for("admin.people")))
    return None


def _unready() -> str:
    """Return the page on which the signed-in person must first set up a credential, or ""."""
    if current_user.password_is_one_time:
        return "change_password"
    is_lacking = needs_second_factor(current_user) and not current_user.has_second_factor
    return "two_factor_setup" if is_lacking else ""


def needs_second_factor(person: PersonRow) -> bool:
    """Return whether more than a password is required of this person."""
    required = current_installation().settings.require_second_factor
    return person.totp_required or not {"all", *person.role_names.split()}.isdisjoint(required)


def is_fresh() -> bool:
    """Return whether the password was entered within the time FRESH."""
    return bool(0 <= time.time() - session.get("fs_paa", 0) < FRESH.total_seconds())


def current_sign_in() -> SignInRow | None:
    """Return the sign-in of this browser, or None where it has ended."""
    settings = current_installation().settings
    idle = timedelta(minutes=settings.idle_minutes)
    longest = timedelta(hours=settings.longest_hours)
    token_hash = hash_token(session.get("sign_in", ""))
    row = people.signed_in(
        db.session, token_hash, idle=idle, longest=longest, now=datetime.now(UTC)
    )
    if row is None or row.person_id != current_user.id:
        return None
    for sealed in (row, current_user):
        sealed.unseal(current_installation().keys, "sealed_check")
    return row


def may_read(*roles: str) -> bool:
    """Return whether somebody with one of these roles is signed in, on a page for everybody."""
    if not current_user.is_authenticated or current_sign_in() is None or _unready():
        return False
    return any(current_user.has_role(role) for role in roles)


def forget_sign_in() -> None:
    """End the sign-in of this browser. An open form can be sent after signing in again."""
    form_token = session.get("csrf_token")
    person = current_user.id
    logout_user()
    session.pop("sign_in", None)
    if form_token:
        session["csrf_token"] = form_token
        session["form_of"] = person


def _sign_in_first() -> Any:
    if request.method != "POST":
        return redirect(url_for_security("login", next=request.full_path.rstrip("?")))
    path = ""
    if request.endpoint in KEPT and "form_of" in session:
        path = url_for(KEPT[request.endpoint], **request.view_args or {}).partition("?")[0]
        values = {name: sent for name, sent in request.form.lists() if name != "csrf_token"}
        keep = timedelta(hours=current_installation().settings.draft_hours)
        typed = Typed(path=path, values=values, checked=False)
        session["kept"] = [path, questionnaire.keep(current_actor(), typed, keep=keep)]
    return render_template("clinic/signed_out.html", kept_for=path), 401


def kept_form() -> MultiDict[str, str] | None:
    """Return what this person typed on this page before the sign-in ended, or None."""
    path, token = session.get("kept", ("", ""))
    if path != request.path or request.method != "GET":
        return None
    draft = drafts.find(
        db.session, current_installation().keys, hash_token(token), now=datetime.now(UTC)
    )
    if draft is None or draft.typed is None:
        return None
    flash(
        _("What you typed before you were signed out is filled in again. It is not recorded yet.")
    )
    return MultiDict(draft.typed.values)


def forget_kept(path: str) -> None:
    """Delete the form that was kept for the page at `path`: it is recorded."""
    if session.get("kept", ("",))[0] == path.partition("?")[0]:
        questionnaire.discard(current_actor(), session.pop("kept")[1])


def current_actor(person: PersonRow | None = None) -> Actor:
    """Return this person, or the one who is signed in, as the actor."""
    signed_in = person or current_user
    return Actor(
        session=db.session,
        keys=current_installation().keys,
        now=datetime.now(UTC),
        by=getattr(signed_in, "sign_in_name", "unknown"),
        full_name=getattr(signed_in, "full_name", ""),
    )
