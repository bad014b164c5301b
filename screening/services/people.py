"""Who may sign in, and who is signed in. Passwords come hashed; every change is an audit event."""

import re
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from screening.domain.answers import text_fault, tidy
from screening.reports.summary import N_
from screening.services.questionnaire import COUNTED
from screening.storage import records
from screening.storage.audit import Act
from screening.storage.database import delete_in_order, write
from screening.storage.encryption import Keys
from screening.storage.tables import AttemptRow, PersonRow, SignInRow

TAKEN = N_("That sign-in name is already in use")
NAME = N_("Enter a sign-in name of 2 to 64 letters or digits; _ . @ and - are allowed")
FULL_NAME = N_("Enter a name of at most 120 letters, without signs that cannot be printed")
NO_ROLE = N_("Choose at least one role")
UNKNOWN = N_("Nobody has that sign-in name")
LAST_ADMIN = N_("That would leave nobody who can manage people. Make somebody else an admin first")
FULL_NAME_LENGTH = 120
ROLES = ("prescriber", "staff", "admin")
_NAME = re.compile(r"[\w.@-]{2,64}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
ATTEMPTS_WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_NAME_AND_ADDRESS = 10
ATTEMPTS_PER_NAME = 200
ATTEMPTS_PER_ADDRESS = 100
SEEN_EVERY = timedelta(minutes=1)
AHEAD = timedelta(minutes=1)  # that the clock of another machine may be


class NotAccepted(Exception):
    """What was asked for cannot be done.

    Says why and what to do, in English; pages translate it.
    """


def one_time_password() -> str:
    """A password to be read aloud or typed once (99 random bits)."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def normal_name(typed: str) -> str:
    """A sign-in name in its one form."""
    return unicodedata.normalize("NFKC", tidy(typed)[:200]).casefold().strip()


def find(session: Session, sign_in_name: str) -> PersonRow | None:
    """The person with this sign-in name, however it is written, or None."""
    return session.scalars(
        select(PersonRow).where(PersonRow.sign_in_name == normal_name(sign_in_name))
    ).first()


def everyone(session: Session) -> list[PersonRow]:
    """All people, by sign-in name."""
    return list(session.scalars(select(PersonRow).order_by(PersonRow.sign_in_name)))


def add(
    act: Act,
    sign_in_name: str,
    full_name: str,
    roles: Collection[str],
    hashed: str,
    *,
    only_if_none: bool = False,
) -> bool:
    """Add a person with a hashed one-time password. Raises NotAccepted.

    With `only_if_none`, nothing happens (and False is returned) where there is anybody already.
    """
    name = normal_name(sign_in_name)
    shown = tidy(full_name)
    if not _NAME.fullmatch(name):
        raise NotAccepted(NAME)
    if text_fault(shown, FULL_NAME_LENGTH):
        raise NotAccepted(FULL_NAME)
    with write(act.session):
        if only_if_none and act.session.scalar(select(func.count()).select_from(PersonRow)):
            return False
        person = PersonRow(
            sign_in_name=name,
            full_name=shown or name,
            role_names=_roles(roles),
            active=True,
            password=hashed,
            password_is_one_time=True,
            fs_uniquifier=secrets.token_hex(32),
            totp_required=False,
        )
        act.session.add(person)
        try:
            act.session.flush()
        except IntegrityError as err:  # no two may have the same name
            raise NotAccepted(TAKEN) from err
        act.note("people", name, f"added as {person.role_names}")
    return True


def _has_admin(session: Session) -> bool:
    return any(one.active and one.has_role("admin") for one in everyone(session))


def _roles(roles: Collection[str]) -> str:
    if not roles or not set(roles) <= set(ROLES):
        raise NotAccepted(NO_ROLE)
    return " ".join(role for role in ROLES if role in roles)


def change(
    act: Act,
    sign_in_name: str,
    *,
    roles: Collection[str] | None = None,
    active: bool | None = None,
    totp_required: bool | None = None,
    hashed: str | None = None,
) -> None:
    """Change what is given; None leaves it.

    A new (hashed, one-time) password also forgets the second factor.

    Whoever is disabled or has a new password is signed out everywhere. Raises NotAccepted.
    """
    session = act.session
    with write(session):
        # All of them: two who disable each other must not both succeed.
        session.scalars(select(PersonRow).order_by(PersonRow.id).with_for_update()).all()
        person = find(session, sign_in_name)
        if person is None:
            raise NotAccepted(UNKNOWN)
        done = []
        had_admin = _has_admin(session)
        if roles is not None:
            person.role_names = _roles(roles)
            done.append(f"roles: {person.role_names}")
        if active is not None:
            person.active = active
            done.append("enabled" if active else "disabled")
        if totp_required is not None:
            person.totp_required = totp_required
            done.append("second factor required" if totp_required else "second factor not required")
        if hashed is not None:
            person.password = hashed
            person.password_is_one_time = True
            person.fs_uniquifier = secrets.token_hex(32)
            person.tf_primary_method = person.tf_totp_secret = person.mf_recovery_codes = None
            person.tf_last_counter = None
            forget = AttemptRow.key.in_(_counted(act.keys, person.sign_in_name, ""))
            delete_in_order(session, AttemptRow.id, forget, wait=False)
            done.append("password reset")
        session.flush()
        if had_admin and not _has_admin(session):
            raise NotAccepted(LAST_ADMIN)
        if hashed is not None or active is False:
            delete_in_order(session, SignInRow.token_hash, SignInRow.person_id == person.id)
        act.note("people", person.sign_in_name, ", ".join(done))


# ----------------------------------------------------------------------------------------------------------
# sign-ins


def _counted(keys: Keys, sign_in_name: str, address: str) -> dict[bytes, int]:
    """By what attempts are counted, and how many of each may fail: a stranger elsewhere locks nobody out at once."""
    name = normal_name(sign_in_name)
    return {
        keys.authenticate(
            "attempt", records.encode([name, address])
        ): ATTEMPTS_PER_NAME_AND_ADDRESS,
        keys.authenticate("attempt", records.encode([name, ""])): ATTEMPTS_PER_NAME,
        keys.authenticate("attempt", records.encode(["", address])): ATTEMPTS_PER_ADDRESS,
    }


def too_many_attempts(act: Act, sign_in_name: str, address: str) -> bool:
    """Whether so many sign-ins failed for this name (known or not) or address that none is tried for a while."""
    for key, most in _counted(act.keys, sign_in_name, address).items():
        # Those that seem to be still to come were counted while the clock was ahead.
        is_recent = AttemptRow.at.between(act.now - ATTEMPTS_WINDOW, act.now + AHEAD)
        recent = select(func.count()).where(AttemptRow.key == key, is_recent)
        if (act.session.scalar(recent) or 0) >= most:
            return True
    return False


def failed(act: Act, sign_in_name: str, address: str, what: str) -> None:
    """Count a failed sign-in.

    The log names nobody it does not know: a password may have been typed as the name.
    """
    with write(act.session):
        delete_in_order(act.session, AttemptRow.id, AttemptRow.at <= act.now - COUNTED, wait=False)
        act.session.add_all(
            AttemptRow(key=key, at=act.now) for key in _counted(act.keys, sign_in_name, address)
        )
        known = find(act.session, sign_in_name)
        replace(act, by=known.sign_in_name if known else "unknown").note(
            "sign-in failed", detail=what
        )


def began(act: Act, person: PersonRow, *, token_hash: str, address: str, changed: str = "") -> None:
    """Note a sign-in, within the transaction of whoever calls.

    Where credentials were `changed`, all others end.
    """
    counted = list(_counted(act.keys, person.sign_in_name, address))[:2]
    delete_in_order(act.session, AttemptRow.id, AttemptRow.key.in_(counted), wait=False)
    times = {"begun_at": act.now, "seen_at": act.now}
    act.session.add(
        SignInRow(token_hash=token_hash, person_id=person.id, address=address[:64], **times)
    )
    if changed:
        changed_credentials(act, person, changed, but=token_hash)
    act.note("signed in")


def changed_credentials(act: Act, person: PersonRow, what: str, *, but: str = "") -> None:
    """Note what somebody changed; every sign-in but one ends.

    Within the transaction of whoever calls.
    """
    others = (SignInRow.person_id == person.id) & (SignInRow.token_hash != but)
    delete_in_order(act.session, SignInRow.token_hash, others)
    act.note("people", detail=what)


def signed_in(
    session: Session, token_hash: str, *, idle: timedelta, longest: timedelta, now: datetime
) -> SignInRow | None:
    """The sign-in, unless it was ended, unused for `idle` or is older than `longest`."""
    row = session.get(SignInRow, token_hash)
    if row is None or row.seen_at <= now - idle:
        return None
    # no longer, where the clock was ahead then
    return row if now - longest < row.begun_at <= now + AHEAD else None


def seen(*, session: Session, token_hash: str, now: datetime) -> None:
    """Put off the idle time-out."""
    with write(session):
        if (row := session.get(SignInRow, token_hash, with_for_update=True)) is not None:
            row.seen_at = now


def own_sign_ins(session: Session, person: PersonRow) -> list[SignInRow]:
    """Where a person is signed in, the latest used first."""
    query = (
        select(SignInRow).where(SignInRow.person_id == person.id).order_by(SignInRow.seen_at.desc())
    )
    return list(session.scalars(query))


def end(act: Act, sign_in_name: str, *, token_hash: str | None) -> None:
    """End one sign-in of a person, or with None all of them."""
    with write(act.session):
        person = find(act.session, sign_in_name)
        if person is not None:
            which = SignInRow.person_id == person.id
            if token_hash is not None:
                which &= SignInRow.token_hash == token_hash
            if delete_in_order(act.session, SignInRow.token_hash, which):
                act.note("signed out", sign_in_name, "all sign-ins" if token_hash is None else "")
