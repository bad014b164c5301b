"""What is done with invitations while others write: see test_locks.py."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from screening.extensions import db
from screening.features.invitations import service
from screening.features.invitations.tables import InvitationRow
from screening.storage.database import write
from tests.integration.invitations.test_invitations import invited

if TYPE_CHECKING:
    from tests.integration.test_locks import Things

KEEP = timedelta(hours=1)
REFUSED = (service.NotUsable, service.WrongPatient)


def prepare(things: Things) -> None:
    _made, link = invited(things.app)
    things.of_features["link"] = link.rpartition("/")[2]


def begin_anew(_things: Things) -> None:
    """Let nobody have typed a wrong date of birth yet."""
    with write(db.session):
        query = select(InvitationRow).order_by(InvitationRow.id).with_for_update()
        for row in db.session.scalars(query):
            row.tries = 0


def create(things: Things) -> None:
    actor = things.actor
    invitation = service.look(actor, things.of_features["link"])[1]
    service.create(actor, {digit * 32: invitation for digit in "fe"}, until=actor.now + KEEP)


def redeem(things: Things) -> None:
    service.redeem(things.actor, things.of_features["link"], date(1999, 1, 1), keep=KEEP)


def go_on(things: Things) -> None:
    service.redeem(things.actor, things.of_features["link"], date(1988, 3, 12), keep=KEEP)


VERBS = {
    "invite": (create, ""),
    "redeem": (redeem, ""),
    "go on": (go_on, "link opened"),
    "revoke": (lambda things: service.revoke(things.actor, "e" * 32), ""),
}
SAME = (("invite", "redeem", "go on", "revoke", "purge"),)
