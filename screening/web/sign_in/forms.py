"""Forms with a secret. Failed attempts are counted, and each code can be used once."""

import threading
import time
from typing import Any

import segno
from flask import abort, current_app, render_template, request
from flask_babel import gettext as _
from flask_security import (
    ChangePasswordForm,
    LoginForm,
    Totp,
    TwoFactorVerifyCodeForm,
    current_user,
)
from flask_security.forms import VerifyForm
from flask_security.recovery_codes import MfRecoveryCodesUtil, MfRecoveryForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from screening.extensions import db
from screening.installation import current_installation
from screening.services import attempts, people
from screening.storage.database import begin_write, write
from screening.storage.tables import PersonRow
from screening.web.sign_in import known_browser
from screening.web.sign_in.guards import current_actor

CODE_WINDOW = 30  # seconds by which the clock of a phone may differ
TIME_STEP = 30  # seconds for which a code is shown
# Number of secrets verified at a time in each process, and seconds to wait for it: hashing takes
# the processor and threads away from patients' pages.
AT_ONCE = 1
PATIENCE = 0.5
_proving = threading.BoundedSemaphore(AT_ONCE)


class OnceOnlyTotp(Totp):
    """Codes that can be used once; the QR code is part of the page and has no address."""

    def get_last_counter(self, user: Any) -> int | None:
        """Return the time step of the last code used.

        It is None where that step is in the future: the clock was wrong then.
        """
        last: int | None = user.tf_last_counter
        return None if last is None or last > time.time() // TIME_STEP + 1 else last

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        """Store the time step of the code just used."""
        user.tf_last_counter = tmatch.counter

    def generate_qrcode(self, username: str, totp: str) -> str:
        """Return the QR code as SVG markup."""
        code = segno.make(self.get_totp_uri(username, totp), error="m", micro=False)
        return code.svg_inline(omitsize=True, border=4, light="#fff", title=_("QR code"))


class Counted:
    """A form with a secret. The database counts failures by name and address."""

    presented = "password"
    form_errors: list[str]
    user: Any  # the person, as Flask-Security finds it

    def tried_name(self) -> str:
        """Return the sign-in name of the attempt."""
        return str(self.user.sign_in_name)

    def fits(self, **kwargs: Any) -> bool:
        """Return whether the secret is right; if so begin the write transaction of what follows.

        It begins after hashing, which takes long: wrong passwords must not block other people.
        """
        person = getattr(self, "user", None) or current_user
        hashed = getattr(person, "password", None)
        if not super().validate(**kwargs):  # type: ignore[misc]
            return False
        begin_write_about(person)
        # Both may have changed while the password was hashed.
        return bool(person.password == hashed and person.active)

    def validate(self, **kwargs: Any) -> bool:
        """Return whether the attempt is right. It counts as failed until it is.

        Too many failures are refused, whether the name is known or not.
        """
        if not _proving.acquire(timeout=PATIENCE):
            self.form_errors = [
                _("Many people are signing in at this moment. Wait a few seconds, then try again.")
            ]
            return False
        try:
            return self._try(**kwargs)
        finally:
            _proving.release()

    def _try(self, **kwargs: Any) -> bool:
        actor = current_actor()
        name = self.tried_name()
        browser = known_browser.mark_of(people.find(db.session, name))
        counted = people.reserve(
            actor, name, request.remote_addr or "", browser, credential=self.presented
        )
        if not counted:
            self.form_errors = [
                _("Too many attempts failed. Wait 15 minutes, or ask an admin for a new password.")
            ]
            return False
        if self.fits(**kwargs):
            attempts.forget(actor, counted)
            return True
        if getattr(self, "is_setup", False):
            with write(db.session):
                attempts.forget(actor, counted)
        else:
            people.failed(actor, name, self.presented)
        return False


class SignInForm(Counted, LoginForm):
    """Name and password."""

    email = None  # type: ignore[assignment]
    remember = None  # type: ignore[assignment]
    sign_in_name = StringField()
    password = PasswordField(filters=[lambda typed: typed or ""])

    def tried_name(self) -> str:
        """Return the name as typed."""
        return self.sign_in_name.data or ""

    def validate(self, **kwargs: Any) -> bool:
        """Return whether name and password fit.

        The message and the time are the same for a wrong name and a wrong password.
        """
        self.ifield = self.sign_in_name
        self.user = people.find(db.session, self.tried_name())
        if self.user is not None:
            self.user.unseal(current_installation().keys, "sealed_check")
        if super().validate(**kwargs):
            return not self._has_ended()
        self.sign_in_name.errors = self.password.errors = ()
        self.form_errors = self.form_errors or [_("The name or the password is wrong.")]
        return False

    def _has_ended(self) -> bool:
        """Return whether the right password is a one-time password that can be used no longer."""
        actor = current_actor(self.user)
        if not people.one_time_password_ended(self.user, actor.now):
            return False
        actor.note("sign-in failed", detail="one-time password ended")
        db.session.commit()
        self.form_errors = [
            _("This one-time password has ended. Ask an admin of the clinic for a new one.")
        ]
        return True


class ConfirmForm(Counted, VerifyForm):
    """The password once more."""


class ProofForm(ConfirmForm):
    """The password once more, and a code where the person has a second factor, for one action."""

    code = StringField()

    def fits(self, **kwargs: Any) -> bool:
        """Return whether both are right; if so the code cannot be used again."""
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
        return True

    def validate(self, **kwargs: Any) -> bool:
        """Return whether both are right, which is recorded at once."""
        is_right = super().validate(**kwargs)
        if is_right:
            db.session.commit()
        return is_right


class ChangeForm(Counted, ChangePasswordForm):
    """The present password, and a new one twice. Only a wrong present one counts as a failure."""

    def tried_name(self) -> str:
        """Return the sign-in name of the signed-in person."""
        return str(current_user.sign_in_name)

    @property
    def is_setup(self) -> bool:
        """Return whether the present password was right, so that the failure does not count."""
        return not self.password.errors

    def fits(self, **kwargs: Any) -> bool:
        """Return whether the change is accepted; if so keep the hash of the present password."""
        if not super().fits(**kwargs):
            return False
        people.remember_password(current_actor(), current_user)
        return True


class GoodOnce(Counted):
    """A form with a code that can be used once."""

    def fits(self, **kwargs: Any) -> bool:
        """Return whether the code is right, which records its use.

        The row of the person is locked first, so that no code is used twice.
        """
        begin_write_about(self.user)
        return bool(super(Counted, self).validate(**kwargs))  # type: ignore[misc]


class CodeForm(GoodOnce, TwoFactorVerifyCodeForm):
    """A code of the authenticator app."""

    presented = "code"

    def validate(self, **kwargs: Any) -> bool:
        """Return whether the code is right.

        During set-up, a mistyped code keeps the key: Flask-Security would make a new one.
        """
        if super().validate(**kwargs):
            return True
        if getattr(self, "is_setup", False):
            abort(Response(_setup_again(self), mimetype="text/html"))
        return False


def _setup_again(form: CodeForm) -> str:
    """Return the page with the key that the phone has scanned, and the error of the code."""
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
    """Recovery codes. The audit log records when they are made and used."""

    def create_recovery_codes(self, user: Any) -> list[str]:
        """Make and return new codes."""
        codes = super().create_recovery_codes(user)
        current_actor(user).note("people", detail="recovery codes made")
        return codes

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        """Delete the code that was used; return whether it existed."""
        deleted = super().delete_recovery_code(user, code)
        current_actor(user).note("people", detail="recovery code used")
        return deleted


def begin_write_about(person: PersonRow) -> None:
    """Begin a write transaction with a lock on this person's row.

    Must be the first statement of its transaction: see `storage.database`.
    """
    begin_write(db.session)
    db.session.refresh(person, with_for_update=True)
    person.unseal(current_installation().keys, "sealed_check")
