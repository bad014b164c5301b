"""The cookie of a browser in which people have signed in before. It names nobody.

Each person has a mark of their own in it, of which only the server can tell whose it is: failed
attempts of such a browser are counted apart from those of others (`services.people`).
"""

import hashlib
import secrets
from datetime import timedelta

from flask import after_this_request, current_app, request
from itsdangerous import TimestampSigner
from werkzeug.wrappers import Response

from screening.storage.tables import PersonRow
from screening.web.headers import cookie

LASTS = timedelta(days=180)
MOST = 8  # people of a shared computer


def mark_of(person: PersonRow | None) -> str:
    """Return the mark of this person in this browser, or ""."""
    return _signed_mark_of(person).partition(".")[0]


def _signed_mark_of(person: PersonRow | None) -> str:
    """Return the mark with its time and signature, which can be written in several ways."""
    if person is None:
        return ""
    signer = _signer(person)
    lasts = int(LASTS.total_seconds())
    return next((mark for mark in _marks() if signer.validate(mark, max_age=lasts)), "")


def remember(person: PersonRow) -> None:
    """Give this browser a new mark of this person; those of other people stay."""
    mark = _signer(person).sign(secrets.token_hex(8)).decode()
    former = _signed_mark_of(person)
    marks = [mark, *(kept for kept in _marks() if kept != former)][:MOST]

    @after_this_request
    def _set(response: Response) -> Response:
        response.set_cookie(**cookie("browser"), value="~".join(marks), max_age=LASTS)
        return response


def _marks() -> list[str]:
    return request.cookies.get(cookie("browser")["key"], "").split("~")[:MOST]


def _signer(person: PersonRow) -> TimestampSigner:
    """Return what makes marks of a person, which are void after a change of credentials."""
    key = person.credential.browser_key if person.credential else ""
    salt = f"known browser {person.fs_uniquifier}{key}"
    return TimestampSigner(
        current_app.secret_key or "", salt=salt, digest_method=hashlib.sha256, key_derivation="hmac"
    )
