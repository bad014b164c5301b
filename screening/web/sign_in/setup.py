"""The configuration of Flask-Security, and what is recorded when a person signs in or out."""

import base64
import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flask import Flask, abort, g, redirect, request, session, url_for
from flask_login import user_logged_out
from flask_login.utils import _user_context_processor
from flask_security import (
    RoleMixin,
    Security,
    current_user,
    tf_disabled,
    tf_profile_changed,
    url_for_security,
    user_authenticated,
    wan_deleted,
    wan_registered,
)

from screening.extensions import db
from screening.installation import Installation
from screening.services import people
from screening.storage.drafts import hash_token
from screening.storage.tables import PasskeyRow, PersonRow
from screening.web.sign_in import known_browser, passkeys, views
from screening.web.sign_in.forms import (
    CODE_WINDOW,
    ChangeForm,
    CodeForm,
    ConfirmForm,
    NotedCodes,
    OnceOnlyTotp,
    RecoveryForm,
    SignInForm,
    begin_write_about,
)
from screening.web.sign_in.guards import (
    FRESH,
    current_actor,
    current_sign_in,
    forget_sign_in,
    is_fresh,
    needs_second_factor,
)
from screening.web.sign_in.passwords import PasswordRules

OWN_PATH = re.compile(r"/(clinic|admin|account)/[\w./?=&%:@+-]*")
NOT_USED = {"security.two_factor_rescue", "security.tf_select"}
PASSKEYS = {"security.wan_register", "security.wan_register_response", "security.wan_delete"}
# A signed-in person who opened these would be signed out.
FOR_STRANGERS = {"security.two_factor_token_validation", "security.wan_signin_response"}
CHANGES = PASSKEYS | {
    "security.two_factor_setup",
    "security.two_factor_setup_validate",
    "security.mf_recovery_codes",
}


def init_app(app: Flask, installation: Installation) -> None:
    """Set up Flask-Security. Raises KeyFault where the data key exists but cannot be read."""
    # Derived from the index key, which is never rotated; before it exists, nobody can sign in.
    index = installation.keys.index if installation.key_file.exists() else secrets.token_bytes(32)
    totp, codes = (
        hashlib.sha256(purpose + index).digest() for purpose in (b"totp", b"recovery codes")
    )
    app.config.from_mapping(
        SECURITY_URL_PREFIX="/account",
        SECURITY_LOGIN_URL="/sign-in",
        SECURITY_LOGOUT_URL="/sign-out",
        SECURITY_CHANGE_URL="/password",
        SECURITY_VERIFY_URL="/confirm",
        SECURITY_TWO_FACTOR_SETUP_URL="/second-factor",
        SECURITY_TWO_FACTOR_TOKEN_VALIDATION_URL="/code",  # noqa: S106 - an address
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_URL="/recovery-codes",
        SECURITY_MULTI_FACTOR_RECOVERY_URL="/recovery",
        SECURITY_POST_LOGIN_VIEW="/clinic/",
        SECURITY_POST_LOGOUT_VIEW="/account/sign-in",
        SECURITY_POST_CHANGE_VIEW="/account/",
        SECURITY_TWO_FACTOR_POST_SETUP_VIEW="/account/recovery-codes?show_codes=1",
        SECURITY_STATIC_FOLDER=None,
        SECURITY_USER_IDENTITY_ATTRIBUTES=[{"sign_in_name": {"mapper": people.normal_name}}],
        SECURITY_PASSWORD_SALT=totp.hex(),
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_LENGTH_MIN=12,
        SECURITY_CHANGEABLE=True,
        SECURITY_SEND_PASSWORD_CHANGE_EMAIL=False,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY=CODE_WINDOW,
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS=[base64.urlsafe_b64encode(codes)],
        SECURITY_WEBAUTHN=True,
        SECURITY_WAN_REGISTER_URL="/passkeys",
        SECURITY_WAN_SIGNIN_URL="/passkey",
        SECURITY_WAN_DELETE_URL="/passkey-removal",
        SECURITY_WAN_ALLOW_AS_VERIFY=[],
        SECURITY_WAN_ALLOW_USER_HINTS=False,
        SECURITY_WAN_NAME_ALLOWED_CHARS=["L", "M", "N", "P", "S", "Zs"],
        SECURITY_INPUT_NORMALIZE_FORM="NFC",
        SECURITY_WAN_RP_NAME=installation.settings.clinic_name,
        SECURITY_WAN_POST_REGISTER_VIEW="/account/recovery-codes?show_codes=1",
        SECURITY_TWO_FACTOR_IMPLEMENTATIONS={
            "code": "flask_security.twofactor.CodeTfPlugin",
            "webauthn": "screening.web.sign_in.passkeys.PasskeyFactor",
        },
        SECURITY_TOTP_SECRETS={"1": totp.hex()},
        SECURITY_TOTP_ISSUER=installation.settings.clinic_name.replace(":", " "),
        SECURITY_FRESHNESS=FRESH,
        SECURITY_FRESHNESS_GRACE_PERIOD=timedelta(0),
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_CLI_USERS_NAME=None,
        SECURITY_CLI_ROLES_NAME=None,
    )
    security = Security(
        app,
        passkeys.PasskeyStore(db, PersonRow, RoleMixin, PasskeyRow),
        login_form=SignInForm,
        verify_form=ConfirmForm,
        two_factor_verify_code_form=CodeForm,
        mf_recovery_form=RecoveryForm,
        mf_recovery_codes_util_cls=NotedCodes,
        change_password_form=ChangeForm,
        password_util_cls=PasswordRules,
        totp_cls=OnceOnlyTotp,
        webauthn_util_cls=passkeys.PasskeyRules,
        wan_register_response_form=passkeys.NewPasskeyForm,
        wan_signin_response_form=passkeys.PasskeyForm,
    )
    security.want_json(lambda _request: False)  # it would hand out tokens that nobody uses
    security.datetime_factory = partial(datetime.now, UTC)  # for the last use of a passkey
    # The person is looked up only where a page uses it: patients' pages do not. No page uses the
    # identity of Flask-Principal.
    app.before_request_funcs[None].remove(security.principal._on_before_request)
    app.template_context_processors[None].remove(_user_context_processor)
    app.jinja_env.globals.update(
        current_user=current_user,
        needs_second_factor=needs_second_factor,
        needs_each_passkey=passkeys.needs_each,
        passkeys_work=passkeys.passkeys_work,
        waits_for_passkey=passkeys.waits_for_passkey,
    )
    app.before_request(_check_request)
    user_authenticated.connect(_record_sign_in, app)
    user_logged_out.connect(_end_sign_in, app)
    for signal, what in (
        (tf_profile_changed, "second factor set up"),
        (tf_disabled, "second factor removed"),
        (wan_registered, "passkey added"),
        (wan_deleted, "passkey removed"),
    ):
        signal.connect(partial(_record_second_factor, what), app, weak=False)
    app.register_blueprint(views.blueprint)


def _check_request() -> Any:
    """Check requests to the pages of Flask-Security as those to our own are checked.

    An ended sign-in holds no longer, and changes of credentials need the password.
    """
    if request.blueprint != "security":
        return None
    if request.is_json:
        abort(415)  # our pages never send JSON
    if request.endpoint in NOT_USED:
        abort(404)
    targets = [
        target.removeprefix(request.host_url[:-1]) for target in request.values.getlist("next")
    ]
    if any(not OWN_PATH.fullmatch(target) for target in targets if target):
        abort(400)  # Flask-Security accepts some addresses of other sites
    if not current_user.is_authenticated:
        return None
    if current_sign_in() is None:
        forget_sign_in()
        return None
    if request.endpoint in FOR_STRANGERS:
        return redirect(url_for("account.own"))
    if request.endpoint in CHANGES:
        if not is_fresh():
            page = "wan_register" if request.endpoint in PASSKEYS else "two_factor_setup"
            return redirect(url_for_security("verify", next=url_for_security(page)))
        if request.endpoint == "security.mf_recovery_codes" and not current_user.has_second_factor:
            return redirect(url_for("account.own"))  # these codes replace a second factor
        if "disable" in request.form.getlist("setup") and needs_second_factor(current_user):
            return redirect(url_for_security("two_factor_setup"))
        if request.method == "POST":
            begin_write_about(current_user)
        if request.endpoint == "security.wan_delete" and passkeys.needs_each(current_user):
            return redirect(url_for_security("wan_register"))
    return None


def _record_sign_in(
    app: Flask, user: PersonRow, authn_via: list[str] | None = None, **more: object
) -> None:
    """Record the sign-in, which Flask-Security commits.

    A change of password ends all other sign-ins.
    """
    if not user.active:
        abort(403)
    actor = current_actor(user)
    token = secrets.token_urlsafe(32)
    if session.pop("form_of", None) != user.id:  # a form that is still open is another person's
        session.pop("csrf_token", None)
        session.pop("kept", None)
        g.pop("csrf_token", None)
    session["sign_in"] = token
    changed = ""
    if authn_via == ["change"]:
        user.password_is_one_time = False
        changed = "password changed"
    people.began(
        actor,
        user,
        token_hash=hash_token(token),
        address=request.remote_addr or "",
        browser=known_browser.mark_of(user),
        via="passkey" if "webauthn" in (authn_via or ()) else "",
        changed=changed,
    )
    known_browser.remember(user)


def _end_sign_in(app: Flask, **more: object) -> None:
    """End the sign-in in the database, too."""
    token = session.pop("sign_in", None)
    if token and request.endpoint == "security.logout":
        people.end(current_actor(), current_user.sign_in_name, token_hash=hash_token(token))


def _record_second_factor(what: str, app: Flask, user: PersonRow, **more: object) -> None:
    """Record the change of a person's second factor, within the transaction that changes it."""
    if "passkey" not in what:
        user.mf_recovery_codes = None  # these belong to the old app
    if user.has_second_factor and not user.mf_recovery_codes:
        app.extensions["security"].mf_recovery_codes_util.create_recovery_codes(user)
    people.changed_credentials(
        current_actor(user), user, what, but=hash_token(session.get("sign_in", ""))
    )
