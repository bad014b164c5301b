"""Signing in with Flask-Security, and what it leaves to us: counted attempts, sign-ins that can be ended, roles."""

import base64
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from typing import Any

import segno
from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_login import user_logged_out
from flask_security import (
    ChangePasswordForm,
    FSQLALiteUserDatastore,
    LoginForm,
    RoleMixin,
    Security,
    Totp,
    TwoFactorVerifyCodeForm,
    current_user,
    logout_user,
    tf_disabled,
    tf_profile_changed,
    url_for_security,
    user_authenticated,
)
from flask_security.forms import VerifyForm
from flask_security.recovery_codes import MfRecoveryCodesUtil, MfRecoveryForm
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from screening.extensions import Installation, db, installation
from screening.services import people, questionnaire
from screening.storage import drafts
from screening.storage.audit import Act
from screening.storage.database import begin_write
from screening.storage.drafts import Typed, hash_token
from screening.storage.tables import PersonRow, SignInRow

# how long ago the password was given for a change of people or credentials
FRESH = timedelta(minutes=15)
# Forms that are kept when a sign-in ends, and the pages on which they are filled in.
KEPT = {"clinic.decide": "clinic.screening", "clinic.clarify": "clinic.clarify"}
OWN_PATH = re.compile(r"/(clinic|admin|account)/[\w./?=&%:@+-]*")
NOT_USED = {"security.two_factor_rescue", "security.tf_select"}
CHANGES = {
    "security.two_factor_setup",
    "security.two_factor_setup_validate",
    "security.mf_recovery_codes",
}
CODE_WINDOW = 30  # seconds that the clock of a phone may be wrong
TIME_STEP = 30  # seconds for which a code is shown
# Secrets proved at a time in each process, and seconds to wait: hashing takes the processor and
# threads from patients.
AT_ONCE = 1
PATIENCE = 0.5
_proving = threading.BoundedSemaphore(AT_ONCE)

blueprint = Blueprint("account", __name__, url_prefix="/account")


def init_app(app: Flask, here: Installation) -> None:
    """Set up Flask-Security. Raises KeyFault where the data key is there but cannot be read."""
    # Derived from the index key, which is never rotated; before there is one, nobody can sign in.
    index = here.keys.index if here.key_file.exists() else secrets.token_bytes(32)
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
        SECURITY_TOTP_SECRETS={"1": totp.hex()},
        SECURITY_TOTP_ISSUER=here.settings.clinic_name.replace(":", " "),
        SECURITY_FRESHNESS=FRESH,
        SECURITY_FRESHNESS_GRACE_PERIOD=timedelta(0),
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_CLI_USERS_NAME=None,
        SECURITY_CLI_ROLES_NAME=None,
    )
    Security(
        app,
        FSQLALiteUserDatastore(db, PersonRow, RoleMixin),
        login_form=SignInForm,
        verify_form=ConfirmForm,
        two_factor_verify_code_form=CodeForm,
        mf_recovery_form=RecoveryForm,
        mf_recovery_codes_util_cls=NotedCodes,
        change_password_form=ChangeForm,
        totp_cls=OnceOnlyTotp,
    )
    app.before_request(_before)
    user_authenticated.connect(_began, app)
    user_logged_out.connect(_ended, app)
    tf_profile_changed.connect(partial(_second_factor, "second factor set up"), app, weak=False)
    tf_disabled.connect(partial(_second_factor, "second factor removed"), app, weak=False)
    app.register_blueprint(blueprint)


class OnceOnlyTotp(Totp):
    """A code is good for one sign-in only; the QR code is part of the page, so that it needs no address."""

    def get_last_counter(self, user: Any) -> int | None:
        """The time step of the last code used; None where that is still to come: the clock was wrong then."""
        last: int | None = user.tf_last_counter
        return None if last is None or last > time.time() // TIME_STEP + 1 else last

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        """Remember the time step of the code just used."""
        user.tf_last_counter = tmatch.counter

    def generate_qrcode(self, username: str, totp: str) -> str:
        """The QR code as SVG markup."""
        code = segno.make(self.get_totp_uri(username, totp), error="m", micro=False)
        return code.svg_inline(omitsize=True, border=4, light="#fff", title=_("QR code"))


class Counted:
    """A form with a secret in it: failures are counted by name and address, in the database, for all processes."""

    presented = "password"
    form_errors: list[str]
    user: Any  # the person, as Flask-Security finds it

    def who(self) -> str:
        """The sign-in name that is tried."""
        return str(self.user.sign_in_name)

    def fits(self, **kwargs: Any) -> bool:
        """Whether the secret is right; then what follows is written in one transaction that begins as a write.

        Only then: hashing a password takes long, and nobody may hold up all others with wrong ones.
        """
        person = getattr(self, "user", None) or current_user
        tried = getattr(person, "password", None)
        if not super().validate(**kwargs):  # type: ignore[misc]
            return False
        _begin_write_about(person)
        return bool(person.password == tried and person.active)  # either may have changed meanwhile

    def validate(self, **kwargs: Any) -> bool:
        """Refuse after too many failures, known name or not; count a failure."""
        act = acting()
        name = self.who()
        address = request.remote_addr or ""
        if people.too_many_attempts(act, name, address):
            self.form_errors = [
                _("Too many attempts failed. Wait 15 minutes, or ask an admin for a new password.")
            ]
            return False
        if not _proving.acquire(timeout=PATIENCE):
            self.form_errors = [
                _("Many people are signing in at this moment. Wait a few seconds, then try again.")
            ]
            return False
        try:
            if self.fits(**kwargs):
                return True
        finally:
            _proving.release()
        if not getattr(self, "is_setup", False):
            people.failed(act, name, address, self.presented)
        return False


class SignInForm(Counted, LoginForm):
    """Name and password."""

    email = None  # type: ignore[assignment]
    remember = None  # type: ignore[assignment]
    sign_in_name = StringField()
    password = PasswordField(filters=[lambda typed: typed or ""])

    def who(self) -> str:
        """The name as typed."""
        return self.sign_in_name.data or ""

    def validate(self, **kwargs: Any) -> bool:
        """Whether they fit.

        What was wrong with them is not told, and takes equally long to find.
        """
        self.ifield = self.sign_in_name
        self.user = people.find(db.session, self.who())
        if self.user is not None:
            self.user.unseal(installation().keys, "sealed_check")
        if super().validate(**kwargs):
            return True
        self.sign_in_name.errors = self.password.errors = ()
        self.form_errors = self.form_errors or [_("The name or the password is wrong.")]
        return False


class ConfirmForm(Counted, VerifyForm):
    """The password once more."""


class ProofForm(ConfirmForm):
    """The password once more, and a code where this person has a second factor: for one act, not for a while."""

    code = StringField()

    def fits(self, **kwargs: Any) -> bool:
        """Whether both are right; the code is used up then."""
        if not super().fits(**kwargs):
            return False
        secret = self.user.tf_totp_secret
        totp = current_app.extensions["security"].totp_factory
        typed = (self.code.data or "").strip().encode("ascii", "replace").decode()
        if secret and not totp.verify_totp(
            token=typed, totp_secret=secret, user=self.user, window=CODE_WINDOW
        ):
            self.presented = "code"
            self.code.errors = [_("The code is wrong, or was used before")]
            return False
        db.session.commit()
        return True


class ChangeForm(Counted, ChangePasswordForm):
    """The password so far, and a new one twice. Only a wrong password so far is an attempt."""

    def who(self) -> str:
        """Whoever is signed in."""
        return str(current_user.sign_in_name)

    @property
    def is_setup(self) -> bool:
        """Whether what failed was not the password so far."""
        return not self.password.errors


class GoodOnce(Counted):
    """A form with a code that is good once."""

    def fits(self, **kwargs: Any) -> bool:
        """Checking a code writes that it was used, so the person is locked first: no code is good twice."""
        _begin_write_about(self.user)
        return bool(super(Counted, self).validate(**kwargs))  # type: ignore[misc]


class CodeForm(GoodOnce, TwoFactorVerifyCodeForm):
    """A code of the authenticator app."""

    presented = "code"

    def validate(self, **kwargs: Any) -> bool:
        """Whether it fits.

        While it is set up, a mistyped one keeps the key: Flask-Security would make another.
        """
        if super().validate(**kwargs):
            return True
        if getattr(self, "is_setup", False):
            abort(Response(_setup_again(self), mimetype="text/html"))
        return False


def _setup_again(form: CodeForm) -> str:
    """The page with the key that the phone has scanned, with what is wrong with the code."""
    values = current_app.extensions["security"].totp_factory.fetch_setup_values(
        form.tf_totp_secret, form.user
    )
    token = (request.view_args or {}).get("token")
    return render_template(
        "security/two_factor_setup.html",
        two_factor_setup_form=form,
        chosen_method="authenticator",
        changing=token is not None,
        state_token=token,
        authr_qrcode=values["image"],
        authr_key=values["key"],
    )


class RecoveryForm(GoodOnce, MfRecoveryForm):
    """A recovery code."""

    presented = "recovery code"


class NotedCodes(MfRecoveryCodesUtil):
    """Recovery codes. That they were made, or one was used, is noted."""

    def create_recovery_codes(self, user: Any) -> list[str]:
        """Make new ones."""
        made = super().create_recovery_codes(user)
        acting(user).note("people", detail="recovery codes made")
        return made

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        """Forget the one that was used."""
        deleted = super().delete_recovery_code(user, code)
        acting(user).note("people", detail="recovery code used")
        return deleted


def _begin_write_about(person: PersonRow) -> None:
    """Begin a write transaction in which nobody else changes this person.

    Before all else: see `storage.database`.
    """
    begin_write(db.session)
    db.session.refresh(person, with_for_update=True)
    person.unseal(installation().keys, "sealed_check")


def page_number() -> int:
    """Which page of a list the address asks for."""
    return min(max(request.args.get("page", 1, type=int), 1), 10**6)


def _before() -> Any:
    """What must hold on the pages of Flask-Security too: an ended sign-in is over, changes need the password."""
    if request.blueprint != "security":
        return None
    if request.is_json:
        abort(415)  # nothing of ours sends it
    if request.endpoint in NOT_USED:
        abort(404)
    targets = [
        target.removeprefix(request.host_url[:-1]) for target in request.values.getlist("next")
    ]
    if any(not OWN_PATH.fullmatch(target) for target in targets if target):
        abort(400)  # Flask-Security lets some addresses of other sites pass
    if not current_user.is_authenticated:
        return None
    if _sign_in() is None:
        _sign_out()
        return None
    if request.endpoint == "security.two_factor_token_validation":
        return redirect(url_for("account.own"))  # it would sign out who asks for it without need
    if request.endpoint in CHANGES:
        if not _is_fresh():
            return redirect(url_for_security("verify", next=url_for_security("two_factor_setup")))
        if request.endpoint == "security.mf_recovery_codes" and not current_user.tf_totp_secret:
            return redirect(url_for("account.own"))  # they stand in for a second factor
        if request.method == "POST":
            _begin_write_about(current_user)
    return None


def _is_fresh() -> bool:
    return bool(0 <= time.time() - session.get("fs_paa", 0) < FRESH.total_seconds())


def _began(app: Flask, user: PersonRow, authn_via: list[str] | None = None, **more: object) -> None:
    """Note the sign-in; Flask-Security commits it.

    After a change of password all others have ended.
    """
    if not user.active:
        abort(403)
    act = acting(user)
    token = secrets.token_urlsafe(32)
    if session.pop("form_of", None) != user.id:  # a form that is still open was somebody else's
        session.pop("csrf_token", None)
        session.pop("kept", None)
        g.pop("csrf_token", None)
    session["sign_in"] = token
    changed = ""
    if authn_via == ["change"]:
        user.password_is_one_time = False
        changed = "password changed"
    people.began(
        act, user, token_hash=hash_token(token), address=request.remote_addr or "", changed=changed
    )


def _ended(app: Flask, **more: object) -> None:
    """End the sign-in in the database too."""
    token = session.pop("sign_in", None)
    if token and request.endpoint == "security.logout":
        people.end(acting(), current_user.sign_in_name, token_hash=hash_token(token))


def _second_factor(what: str, app: Flask, user: PersonRow, **more: object) -> None:
    """Note that somebody's second factor changed, within the transaction of whoever changes it."""
    user.mf_recovery_codes = None  # those of the one before
    if user.tf_totp_secret:
        app.extensions["security"].mf_recovery_codes_util.create_recovery_codes(user)
    people.changed_credentials(acting(user), user, what, but=hash_token(session.get("sign_in", "")))


def needs(
    *roles: str, fresh: bool = False, counts: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A view for people who hold one of the roles (none given: for anybody signed in).

    `fresh` asks for the password again when that was long ago; `counts` is False for what a page
    asks by itself, which must not put off the idle time-out.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return _refusal(roles, fresh=fresh, counts=counts) or view(*args, **kwargs)

        return checked

    return decorate


def _refusal(roles: tuple[str, ...], *, fresh: bool, counts: bool) -> Any:
    """Where this person must go first, or None."""
    if not current_user.is_authenticated:
        return _sign_in_first()
    row = _sign_in()
    if row is None:
        _sign_out()
        return _sign_in_first()
    if counts and row.seen_at < datetime.now(UTC) - people.SEEN_EVERY:
        people.seen(session=db.session, token_hash=row.token_hash, now=datetime.now(UTC))
    if current_user.password_is_one_time:
        return redirect(url_for_security("change_password"))
    if current_user.totp_required and not current_user.tf_totp_secret:
        return redirect(url_for_security("two_factor_setup"))
    if roles and not any(current_user.has_role(role) for role in roles):
        abort(403)
    if fresh and not _is_fresh():
        return redirect(url_for_security("verify", next=url_for("admin.people")))
    return None


def _sign_in() -> SignInRow | None:
    """The sign-in of this browser, unless it is over."""
    settings = installation().settings
    idle = timedelta(minutes=settings.idle_minutes)
    longest = timedelta(hours=settings.longest_hours)
    token_hash = hash_token(session.get("sign_in", ""))
    row = people.signed_in(
        db.session, token_hash, idle=idle, longest=longest, now=datetime.now(UTC)
    )
    if row is None or row.person_id != current_user.id:
        return None
    for one in (row, current_user):
        one.unseal(installation().keys, "sealed_check")
    return row


def _sign_out() -> None:
    """Forget who was signed in; a form that is still open can be sent after signing in again."""
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
        path = url_for(KEPT[request.endpoint], **request.view_args or {})
        values = {name: given for name, given in request.form.lists() if name != "csrf_token"}
        keep = timedelta(hours=installation().settings.draft_hours)
        typed = Typed(path=path, values=values, checked=False)
        session["kept"] = [path, questionnaire.keep(acting(), typed, keep=keep)]
    return render_template("clinic/signed_out.html", kept_for=path), 401


def sealed_for_me(content: bytes, *, table: str, column: str, row: str = "") -> str:
    """Seal what a page is to send back.

    Only this person can open it, for the same table, column and row.
    """
    whose = f"{current_user.id}{row}"
    return base64.urlsafe_b64encode(
        installation().keys.seal(content, table=table, column=column, row=whose)
    ).decode()


def opened_for_me(sealed: str, *, table: str, column: str, row: str = "") -> bytes:
    """Open what was sealed for this person. Raises KeyFault, ValueError."""
    whose = f"{current_user.id}{row}"
    return installation().keys.unseal(
        base64.urlsafe_b64decode(sealed), table=table, column=column, row=whose
    )


def kept_form() -> MultiDict[str, str] | None:
    """What this person typed on this page before the sign-in ended, if anything."""
    path, token = session.get("kept", ("", ""))
    if path != request.path or request.method != "GET":
        return None
    draft = drafts.find(db.session, installation().keys, hash_token(token), now=datetime.now(UTC))
    if draft is None or draft.typed is None:
        return None
    flash(
        _("What you typed before you were signed out is filled in again. It is not recorded yet.")
    )
    return MultiDict(draft.typed.values)


def forget_kept(path: str) -> None:
    """Let go of what was kept for the page at `path`: it is recorded."""
    if session.get("kept", ("",))[0] == path:
        questionnaire.discard(acting(), session.pop("kept")[1])


def acting(person: PersonRow | None = None) -> Act:
    """What this person, or whoever is signed in, does now."""
    who = person or current_user
    by = getattr(who, "sign_in_name", "unknown")
    full_name = getattr(who, "full_name", "")
    return Act(
        session=db.session,
        keys=installation().keys,
        now=datetime.now(UTC),
        by=by,
        full_name=full_name,
    )


@blueprint.get("/")
@needs()
def own() -> str:
    """One's own account: password, second factor, where one is signed in."""
    return render_template(
        "clinic/account.html",
        sign_ins=people.own_sign_ins(db.session, current_user),
        this_one=hash_token(session["sign_in"]),
    )


@blueprint.post("/sign-ins/end")
@needs()
def end_sign_in() -> Response:
    """End one of one's own sign-ins."""
    people.end(acting(), current_user.sign_in_name, token_hash=request.form.get("sign_in", ""))
    return redirect(url_for("account.own"), code=303)
