"""Who may open what of invitations: see test_security.py."""

from flask import Flask

from tests.integration.invitations.test_invitations import invited

ROUTES = {
    "invitations.static": "everyone: style sheets, nothing personal",
    "invited.open_link": "nobody without the link and the date of birth; nothing personal is shown",
    "invited.arrived": "nobody without the link and, on this device, the date of birth",
    "invitations.overview": "prescriber, staff",
    "invitations.new": "prescriber, staff",
    "invitations.many": "prescriber, staff",
    "invitations.details": "prescriber, staff",
    "invitations.slip": "prescriber, staff",
    "invitations.revoke": "prescriber, staff",
    "invitations.remind": "prescriber, staff",
}
# where PostgreSQL keeps no NUL: see test_bad_requests.py
REFUSED = {"invitations.details"}


def parts(app: Flask) -> dict[str, str]:
    """Return what the addresses are made of, for an invitation that is there."""
    invitation_id, link = invited(app)
    return {"<invitation_id>": invitation_id, "<token>": link.rpartition("/")[2]}
