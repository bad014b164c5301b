"""Forms with a secret: failed attempts are counted, and each code is good once."""

import threading
import time
from typing import Any

import segno
from flask import (
    abort,
    current_app,
    render_template,
    request,
)
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
from screening.installation import installation
from screening.services import people
from screening.storage.database import begin_write
from screening.storage.tables import PersonRow
from screening.web.sign_in.guards import acting

CODE_WINDOW = 30  # seconds that the clock of a phone may be wrong
TIME_STEP = 30  # seconds for which a code is shown
# Secrets proved at a time in each process, and seconds to wait: hashing takes the processor and
# threads from patients.
AT_ONCE = 1
PATIENCE = 0.5
_proving = threading.BoundedSemaphore(AT_ONCE)


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
        begin_write_about(person)
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
        begin_write_about(self.user)
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


def begin_write_about(person: PersonRow) -> None:
    """Begin a write transaction in which nobody else changes this person.

    Before all else: see `storage.database`.
    """
    begin_write(db.session)
    db.session.refresh(person, with_for_update=True)
    person.unseal(installation().keys, "sealed_check")
