"""Passkeys by Flask-Security: in place of a password, or as the second factor (decision 42).

A passkey always asks for a fingerprint, a face or a PIN, so that it is two factors by itself.
"""

import time
from typing import Any

from flask import request, session
from flask_babel import gettext as _
from flask_security import (
    FSQLALiteUserDatastore,
    WebAuthnRegisterResponseForm,
    WebAuthnSigninResponseForm,
    WebauthnUtil,
)
from flask_security.webauthn import WebAuthnTfPlugin
from sqlalchemy import select
from webauthn.helpers import structs

from screening.extensions import db
from screening.installation import current_installation
from screening.services import people
from screening.settings import allows_passkeys
from screening.storage.database import begin_write
from screening.storage.tables import PasskeyRow, PersonRow
from screening.web.sign_in.guards import current_actor, needs_second_factor

CHALLENGE = "passkey_asked"  # its name in the session


def passkeys_work() -> bool:
    """Return whether browsers allow passkeys at the address of this page."""
    return allows_passkeys(request.host_url)


def needs_each(person: PersonRow) -> bool:
    """Return whether a person may remove no passkey: it is the last factor, and one is required."""
    is_last = len(person.webauthn) < 2 and not person.tf_totp_secret
    return is_last and needs_second_factor(person)


def waits_for_passkey() -> bool:
    """Return whether the person who has just given the password has a passkey."""
    of_person = PersonRow.fs_uniquifier == session.get("tf_user_id", "")
    query = select(PasskeyRow.id).join(PersonRow, PasskeyRow.user_id == PersonRow.id)
    return passkeys_work() and db.session.scalars(query.where(of_person)).first() is not None


class PasskeyRules(WebauthnUtil):
    """What is asked of passkeys: to be found without a name, and to prove who uses them."""

    def generate_challenge(self, nbytes: int | None = None) -> str:
        """Return a challenge that only this browser can answer, once."""
        challenge = super().generate_challenge(nbytes)
        session[CHALLENGE] = [challenge, time.time()]
        return challenge

    def authenticator_selection(self, user: Any, usage: str) -> Any:
        """Return the requirements of a new passkey."""
        return structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )

    def authentication_options(
        self, user: Any, usage: list[str], existing_options: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what is asked for: after the password, a passkey of that person."""
        rows = user.webauthn if user else ()
        allowed = [structs.PublicKeyCredentialDescriptor(id=row.credential_id) for row in rows]
        required = structs.UserVerificationRequirement.REQUIRED
        return existing_options | {"user_verification": required, "allow_credentials": allowed}


def _asked() -> tuple[str, float]:
    """Return what this browser was asked, and when; it can answer no more."""
    challenge, at = session.pop(CHALLENGE, ("", 0.0))
    return challenge, at


class PasskeyStore(FSQLALiteUserDatastore):
    """Finds people and passkeys, and proves that nobody changed them behind the program."""

    def find_webauthn(self, credential_id: bytes) -> PasskeyRow | None:
        """Return a passkey, locked after its person, or None."""
        found = select(PasskeyRow).where(PasskeyRow.credential_id == credential_id)
        passkey = db.session.scalars(found).first()
        if passkey is not None:
            for row in (db.session.get_one(PersonRow, passkey.user_id), passkey):
                db.session.refresh(row, with_for_update=True)
                row.unseal(current_installation().keys, "sealed_check")
        return passkey

    def create_webauthn(self, user: Any, *args: Any, **values: Any) -> None:
        """Add a passkey. Its seal needs the person's id before the row is written."""
        super().create_webauthn(user, *args, user_id=user.id, **values)


class NewPasskeyForm(WebAuthnRegisterResponseForm):
    """What a browser answers when it has made a passkey."""

    def validate(self, **kwargs: Any) -> bool:
        """Return whether it is the answer to the question just asked."""
        return _asked()[0] == self.challenge and super().validate(**kwargs)


class PasskeyForm(WebAuthnSigninResponseForm):
    """What a browser answers when it is asked for a passkey, first or after the password."""

    def validate(self, **kwargs: Any) -> bool:
        """Return whether the passkey is right; if so the write transaction is open."""
        after_password = self.is_secondary
        self.is_secondary = False  # every passkey may be both
        begin_write(db.session)
        challenge, asked_at = _asked()
        if (
            challenge == self.challenge
            and super().validate(**kwargs)
            and self.cred is not None
            # Not used since then: cookies can be put back. A time to come is a wrong clock's.
            and not asked_at <= self.cred.lastuse_datetime.timestamp() <= time.time()
            and self.user is not None
            and self.user.active
            and (not after_password or self.user.fs_uniquifier == session["tf_user_id"])
        ):
            return True
        if self.user is not None:
            people.failed(current_actor(), self.user.calc_username(), "passkey")
        # One message: what was wrong would tell strangers which passkeys exist.
        self.form_errors = [_("That passkey cannot be used here. Try again, or use your password.")]
        self.credential.errors = []
        return False


class PasskeyFactor(WebAuthnTfPlugin):
    """Asks for a passkey after the password where more is required and there is no app."""

    def get_setup_methods(self, user: Any) -> list[tuple[str, str]]:
        """Return the methods of this kind that the person has set up."""
        is_asked = needs_second_factor(user) and not user.tf_totp_secret and user.webauthn
        return [("webauthn", "passkey")] if is_asked else []
