"""The pages that invitations print, for test_conformance.py."""

from __future__ import annotations

from datetime import UTC, datetime

from screening.features.invitations.invitation import Invitation
from screening.features.invitations.slip import printed
from tests.builders import a_patient, books
from tests.conformance.test_conformance import CLINIC, NAMES


def slip() -> bytes:
    day = datetime(2026, 12, 1, tzinfo=UTC)
    invitation = Invitation(patient=a_patient(name=NAMES["Arabic"]), language="en", appointment=day)
    link = "https://screening.clinic.example/invited/" + "x" * 27
    return printed(invitation, books()["en"], CLINIC, address=link, until=day).content


PAGES = {"slip": slip}
