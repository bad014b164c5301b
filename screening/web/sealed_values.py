"""Values that a page sends back, sealed for one person."""

import base64

from flask_security import current_user

from screening.installation import current_installation


def sealed_for_me(content: bytes, *, table: str, column: str, row: str = "") -> str:
    """Return content that a page is to send back, sealed.

    Only this person can open it, for the same table, column and row.
    """
    whose = f"{current_user.id}{row}"
    sealed = current_installation().keys.seal(content, table=table, column=column, row=whose)
    return base64.urlsafe_b64encode(sealed).decode()


def opened_for_me(sealed: str, *, table: str, column: str, row: str = "") -> bytes:
    """Return the content that was sealed for this person. Raises KeyFault, ValueError."""
    whose = f"{current_user.id}{row}"
    content = base64.urlsafe_b64decode(sealed)
    return current_installation().keys.unseal(content, table=table, column=column, row=whose)
