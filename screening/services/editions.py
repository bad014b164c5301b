"""Editions of the rule book: reading them, putting one in force, and approving it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType
from uuid import uuid4

from sqlalchemy.orm import Session

from screening.domain.assessment import Assessment, Screening
from screening.domain.evaluate import evaluate
from screening.domain.rules import BASE_LANGUAGE, Approval, Edition, RuleBook
from screening.rulebooks.load import load_content
from screening.storage import audit, editions
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.encryption import Keys
from screening.storage.tables import ApprovalRow

Books = Mapping[str, RuleBook]


class ApprovedAlready(Exception):
    """This person has approved this edition already; another person gives the second approval."""


class NoSuchApproval(Exception):
    """There is no such approval, or it was withdrawn."""


def books_at(session: Session, keys: Keys, digest: str, *, at: datetime | None = None) -> Books:
    """Return a stored edition by language, with its approvals now or at a moment.

    Raises KeyFault.
    """
    books = load_content(editions.content(session, digest))
    return approved(books, approvals_at(session, keys, digest, at=at))


def books_of(session: Session, keys: Keys, screening: Screening) -> Books:
    """Return the edition of a screening, with the approvals that it had when that was sent."""
    return books_at(session, keys, screening.digest, at=screening.submitted_at)


def assess(session: Session, keys: Keys, screening: Screening) -> tuple[Books, Assessment]:
    """Return the edition of a screening and the assessment under it."""
    books = books_of(session, keys, screening)
    return books, evaluate(books[BASE_LANGUAGE], screening.established)


def approvals_at(
    session: Session, keys: Keys, digest: str, *, at: datetime | None = None
) -> tuple[Approval, ...]:
    """Return the approvals of an edition now or at a moment, or () where it had too few.

    Raises KeyFault.
    """
    rows = editions.approvals(session, keys, digest, at=at)
    if not rows or len(rows) < rows[-1].needed:
        return ()
    return tuple(
        Approval(by=row.full_name, role=row.role, on=row.given_on, review_by=row.review_by)
        for row in rows
    )


def approved(books: Books, approvals: tuple[Approval, ...]) -> Books:
    """Return the rule book with these approvals.

    Without any, an early edition keeps the approval that its file has.
    """
    if not approvals:
        return books
    edition = replace(books[BASE_LANGUAGE].edition, approvals=approvals)
    return MappingProxyType(
        {language: replace(book, edition=edition) for language, book in books.items()}
    )


def begin(actor: Actor, edition: Callable[[], Edition], *, adopted: bool) -> None:
    """Put the edition of the rule book's file in force where none is, as `flask init` does.

    As long as no edition was ever approved, that of a newer release replaces the one in force,
    unless the clinic has `adopted` its own. Raises VersionUsed, and the errors of `edition`.
    """
    with write(actor.session):
        editions.lock(actor.session)
        current = editions.in_force(actor.session, actor.keys, now=actor.now)
        if current is None or not (adopted or audit.last(actor.session, editions.APPROVED)):
            newest = edition()
            if newest.digest != current:
                if current is not None:  # a new installation needs one in any case
                    editions.refuse_used_version(actor.session, newest)
                editions.keep(actor.session, newest, now=actor.now)
                editions.put_in_force(actor, newest, from_at=actor.now)


def approve(
    actor: Actor,
    edition: Edition,
    *,
    role: str,
    on: date,
    review_by: date,
    needed: int,
    from_at: datetime,
) -> bool:
    """Record that a prescriber approves an edition, and return whether it has all approvals needed.

    It then comes into force at `from_at`, or at once where that is past. Raises VersionUsed,
    ApprovedAlready.
    """
    with write(actor.session):
        editions.lock(actor.session)
        editions.refuse_used_version(actor.session, edition)
        editions.keep(actor.session, edition, now=actor.now)
        before = editions.approvals(actor.session, actor.keys, edition.digest)
        if actor.by in [row.person for row in before]:
            raise ApprovedAlready
        row = ApprovalRow(
            id=uuid4().hex,
            edition_digest=edition.digest,
            person=actor.by,
            full_name=actor.full_name,
            role=role,
            given_at=actor.now,
            given_on=on,
            review_by=review_by,
            needed=needed,
            withdrawn_by="",
            withdrawn_why="",
        )
        actor.session.add(row)
        is_complete = len(before) + 1 >= needed
        if (
            is_complete
            and editions.in_force(actor.session, actor.keys, now=actor.now) != edition.digest
        ):
            editions.put_in_force(actor, edition, from_at=max(from_at, actor.now))
        actor.note(
            editions.APPROVED,
            f"{edition.id} {edition.version}",
            f"{row.id} of {edition.digest[:16]}",
        )
    return is_complete


def withdraw(actor: Actor, approval_id: str, edition: Edition, *, why: str) -> None:
    """Withdraw an approval. Raises NoSuchApproval.

    An edition in force stays in force, as a draft. One that was to come into force later does not.
    """
    with write(actor.session):
        editions.lock(actor.session)
        rows = editions.approvals(actor.session, actor.keys, edition.digest)
        row = next((row for row in rows if row.id == approval_id), None)
        if row is None:
            raise NoSuchApproval
        row.withdrawn_at = actor.now
        row.withdrawn_by = actor.full_name
        row.withdrawn_why = why
        if not approvals_at(actor.session, actor.keys, edition.digest):
            editions.keep_out_of_force(actor, edition)
        actor.note(
            editions.WITHDRAWN,
            f"{edition.id} {edition.version}",
            f"{row.id} of {edition.digest[:16]}",
        )
