"""People and their sign-ins. Passwords are hashed by the caller; every change is an audit event."""

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
from screening.services import attempts
from screening.services.attempts import AHEAD
from screening.storage import records
from screening.storage.audit import Actor
from screening.storage.database import delete_in_order, write
from screening.storage.tables import AttemptRow, CredentialRow, PersonRow, SignInRow

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
# How many attempts may fail within that time; decision 41 has the arithmetic.
ATTEMPTS_PER_NAME_AND_ADDRESS = 10
ATTEMPTS_PER_NAME = 200
CODES_PER_NAME = 20
ATTEMPTS_PER_ADDRESS = 100
ATTEMPTS_PER_KNOWN_BROWSER = 10
ATTEMPTS_OF_KNOWN_BROWSERS = 100
REMEMBERED = 5  # former passwords, which are not accepted again
SEEN_EVERY = timedelta(minutes=1)


class NotAccepted(Exception):
    """A change was refused. The text states the reason and the remedy; pages translate it."""


def one_time_password() -> str:
    """Return a password to be read aloud or typed once (99 random bits)."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def normal_name(typed: str) -> str:
    """Return a sign-in name in its normal form."""
    return unicodedata.normalize("NFKC", tidy(typed)[:200]).casefold().strip()


def find(session: Session, sign_in_name: str) -> PersonRow | None:
    """Return the person with this sign-in name in any spelling of its normal form, or None."""
    return session.scalars(
        select(PersonRow).where(PersonRow.sign_in_name == normal_name(sign_in_name))
    ).first()


def everyone(session: Session) -> list[PersonRow]:
    """Return all people, in the order of their sign-in names."""
    return list(session.scalars(select(PersonRow).order_by(PersonRow.sign_in_name)))


def add(
    actor: Actor,
    sign_in_name: str,
    full_name: str,
    roles: Collection[str],
    hashed: str,
    *,
    hours: int = 24,
    only_if_none: bool = False,
) -> bool:
    """Add a person with a hashed one-time password, and return whether that was done.

    The password can be used for that many `hours`. With `only_if_none`, nothing is done where there
    are people already. Raises NotAccepted.
    """
    name = normal_name(sign_in_name)
    shown = tidy(full_name)
    if not _NAME.fullmatch(name):
        raise NotAccepted(NAME)
    if text_fault(shown, FULL_NAME_LENGTH):
        raise NotAccepted(FULL_NAME)
    with write(actor.session):
        if only_if_none and actor.session.scalar(select(func.count()).select_from(PersonRow)):
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
        actor.session.add(person)
        try:
            actor.session.flush()
        except IntegrityError as err:  # sign-in names are unique
            raise NotAccepted(TAKEN) from err
        _credential(actor, person).one_time_until = actor.now + timedelta(hours=hours)
        actor.note("people", name, f"added as {person.role_names}")
    return True


def _has_admin(session: Session) -> bool:
    return any(person.active and person.has_role("admin") for person in everyone(session))


def _roles(roles: Collection[str]) -> str:
    if not roles or not set(roles) <= set(ROLES):
        raise NotAccepted(NO_ROLE)
    return " ".join(role for role in ROLES if role in roles)


def change(
    actor: Actor,
    sign_in_name: str,
    *,
    roles: Collection[str] | None = None,
    active: bool | None = None,
    totp_required: bool | None = None,
    hashed: str | None = None,
    hours: int = 24,
) -> None:
    """Change a person; None leaves a value as it is. Raises NotAccepted.

    `hashed` is a new one-time password for that many `hours`; it also removes the second factor and
    passkeys. A new password and disabling end all sign-ins of the person.
    """
    session = actor.session
    with write(session):
        # Lock all rows: two admins who disable each other must not both succeed.
        session.scalars(select(PersonRow).order_by(PersonRow.id).with_for_update()).all()
        person = find(session, sign_in_name)
        if person is None:
            raise NotAccepted(UNKNOWN)
        changes = []
        had_admin = _has_admin(session)
        if roles is not None:
            person.role_names = _roles(roles)
            changes.append(f"roles: {person.role_names}")
        if active is not None:
            person.active = active
            changes.append("enabled" if active else "disabled")
        if totp_required is not None:
            person.totp_required = totp_required
            required = "required" if totp_required else "not required"
            changes.append(f"second factor {required}")
        if hashed is not None:
            remember_password(actor, person)
            person.password = hashed
            person.password_is_one_time = True
            _credential(actor, person).one_time_until = actor.now + timedelta(hours=hours)
            person.fs_uniquifier = secrets.token_hex(32)
            person.tf_primary_method = None
            person.tf_totp_secret = None
            person.tf_last_counter = None
            person.mf_recovery_codes = None
            for passkey in person.webauthn:
                session.delete(passkey)
            changes.append("password reset")
        session.flush()
        if had_admin and not _has_admin(session):
            raise NotAccepted(LAST_ADMIN)
        if hashed is not None or active is False:
            _end_all(actor, person)
        actor.note("people", person.sign_in_name, ", ".join(changes))


def _credential(actor: Actor, person: PersonRow) -> CredentialRow:
    """Return the row that belongs to a person's password, a new one where there is none."""
    actor.session.flush()  # seals what was changed so far
    if person.credential is None:
        person.credential = CredentialRow(person_id=person.id, former_passwords=[], browser_key="")
    else:
        person.credential.unseal(actor.keys, "sealed_check")
    return person.credential


def remember_password(actor: Actor, person: PersonRow) -> None:
    """Keep the hash of a password that is about to be replaced, unless it is a one-time one."""
    if not person.password_is_one_time:
        row = _credential(actor, person)
        row.former_passwords = [person.password, *row.former_passwords][:REMEMBERED]


def one_time_password_ended(person: PersonRow, now: datetime) -> bool:
    """Return whether the person's password is a one-time password that can be used no longer.

    Those of older releases have no end.
    """
    end = person.credential.one_time_until if person.credential else None
    return person.password_is_one_time and end is not None and end <= now


# ----------------------------------------------------------------------------------------------
# sign-ins


def _limits(
    actor: Actor, sign_in_name: str, address: str, browser: str, credential: str = ""
) -> dict[bytes, int]:
    """Return how many attempts may fail, by the keys under which they are counted.

    A `browser` that the person has signed in with before has counts of its own: attempts from
    elsewhere must not lock the person out. Elsewhere, the limit of a name alone is high, but for
    codes, which are shorter than passwords. The first key is that of this browser or address. New
    credentials begin new counts, because `fs_uniquifier` changes with them.
    """
    person = find(actor.session, sign_in_name)
    name = person.fs_uniquifier if person else normal_name(sign_in_name)
    place = attempts.network(address)
    limits = {
        ("name and address", name, place): ATTEMPTS_PER_NAME_AND_ADDRESS,
        ("name", name, credential): CODES_PER_NAME if "code" in credential else ATTEMPTS_PER_NAME,
        ("address", place): ATTEMPTS_PER_ADDRESS,
    }
    if browser:
        limits = {
            ("known browser", browser): ATTEMPTS_PER_KNOWN_BROWSER,
            ("known browsers", name): ATTEMPTS_OF_KNOWN_BROWSERS,
        }
    return {
        actor.keys.authenticate("attempt", records.encode(list(counted))): limit
        for counted, limit in limits.items()
    }


def reserve(actor: Actor, name: str, address: str, browser: str, credential: str) -> list[int]:
    """Count an attempt as failed before it is tried, and return what `attempts.forget` takes.

    Where too many have failed, return nothing: none is tried now. Names that nobody has count as
    well. The count is committed before the secret is hashed, which takes long: else many attempts
    at the same time would all be tried.
    """
    with write(actor.session):
        limits = _limits(actor, name, address, browser, credential)
        return attempts.count(actor, limits, within=ATTEMPTS_WINDOW)


def failed(actor: Actor, sign_in_name: str, credential: str) -> None:
    """Note a failed sign-in, and which `credential` was wrong.

    The audit log has known sign-in names only: a password may have been typed as the name.
    """
    with write(actor.session):
        person = find(actor.session, sign_in_name)
        by = person.sign_in_name if person else "unknown"
        replace(actor, by=by).note("sign-in failed", detail=credential)


def began(
    actor: Actor,
    person: PersonRow,
    *,
    token_hash: str,
    address: str,
    browser: str,
    via: str = "",
    changed: str = "",
) -> None:
    """Record a sign-in, within the caller's transaction.

    `via` names what was used instead of a password. Where credentials were `changed`, all other
    sign-ins of the person end.
    """
    own = next(iter(_limits(actor, person.sign_in_name, address, browser)))
    delete_in_order(actor.session, AttemptRow.id, AttemptRow.key == own, wait=False)
    times = {"begun_at": actor.now, "seen_at": actor.now}
    actor.session.add(
        SignInRow(token_hash=token_hash, person_id=person.id, address=address[:64], **times)
    )
    if changed:
        changed_credentials(actor, person, changed, but=token_hash)
    actor.note("signed in", detail=via)


def changed_credentials(actor: Actor, person: PersonRow, change: str, *, but: str = "") -> None:
    """Note a change of credentials, and end all sign-ins of the person but one.

    It happens within the caller's transaction.
    """
    others = (SignInRow.person_id == person.id) & (SignInRow.token_hash != but)
    delete_in_order(actor.session, SignInRow.token_hash, others)
    actor.note("people", detail=change)


def signed_in(
    session: Session, token_hash: str, *, idle: timedelta, longest: timedelta, now: datetime
) -> SignInRow | None:
    """Return the sign-in, unless it has ended, was unused for `idle` or is older than `longest`."""
    row = session.get(SignInRow, token_hash)
    if row is None or row.seen_at <= now - idle:
        return None
    # One that began later than now began while the clock was fast.
    return row if now - longest < row.begun_at <= now + AHEAD else None


def seen(*, session: Session, token_hash: str, now: datetime) -> None:
    """Restart the idle time-out of a sign-in."""
    with write(session):
        if (row := session.get(SignInRow, token_hash, with_for_update=True)) is not None:
            row.seen_at = now


def own_sign_ins(session: Session, person: PersonRow) -> list[SignInRow]:
    """Return the sign-ins of a person, the last used first."""
    query = (
        select(SignInRow).where(SignInRow.person_id == person.id).order_by(SignInRow.seen_at.desc())
    )
    return list(session.scalars(query))


def end(actor: Actor, sign_in_name: str, *, token_hash: str | None) -> None:
    """End one sign-in of a person, or all where `token_hash` is None."""
    session = actor.session
    with write(session):
        person = find(session, sign_in_name)
        if person is None:
            return
        if token_hash is None:
            session.refresh(person, with_for_update=True)
            if _end_all(actor, person):
                actor.note("signed out", sign_in_name, "all sign-ins")
            return
        own = (SignInRow.person_id == person.id) & (SignInRow.token_hash == token_hash)
        if delete_in_order(session, SignInRow.token_hash, own):
            actor.note("signed out", sign_in_name)


def _end_all(actor: Actor, person: PersonRow) -> int:
    """End all sign-ins of a person, whose row is locked; no browser is a known one any more."""
    _credential(actor, person).browser_key = secrets.token_hex(16)
    actor.session.flush()
    return delete_in_order(actor.session, SignInRow.token_hash, SignInRow.person_id == person.id)
