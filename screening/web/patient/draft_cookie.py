"""What a patient's device keeps: the token of the draft and the language, and whose forms it may send."""

from datetime import timedelta

from flask import Flask, g, redirect, request, session
from werkzeug.wrappers import Response

from screening.installation import installation
from screening.web.headers import cookie

# What the session keeps of one patient, until the patient leaves. Features add theirs.
FORGOTTEN = {"csrf_token", "language", "code"}
# The same for what a patient has proved, which also ends when another one begins.
PROOFS = set[str]()


def init_app(app: Flask) -> None:
    """Know a device again whose browser was closed.

    Has to come before whatever refuses forms that are too old.
    """
    app.before_request(_accept_forms_again)


def keep_draft() -> timedelta:
    """How long answers are kept after the last step."""
    return g.get("longest_turn") or timedelta(hours=installation().settings.draft_hours)


def keep_copy() -> timedelta:
    """How long after sending the answers can be seen."""
    longest = timedelta(minutes=installation().settings.copy_minutes)
    return min(longest, g.get("longest_turn", longest))


def _cookie() -> tuple[str, str]:
    token, _, language = request.cookies.get(cookie("draft")["key"], "").partition("~")
    return token, language


def draft_token() -> str:
    """The token that this device keeps, or nothing; that of the paper form on the pages for typing it in."""
    token: str = g.get("paper_token") or _cookie()[0]
    return token


def language() -> str | None:
    """The language that was chosen on this device; it outlives the session of the browser with the draft."""
    return session.get("language") or _cookie()[1] or None


def remember(token: str, target: str) -> Response:
    """Lead on to `target`, and let the device keep the token for as long as the draft, or the copy, is kept from now.

    A browser that sees the cookie change also drops the pages it kept in memory for Back, which
    show old answers.
    """
    if "paper_token" in g:  # it is nothing of the patient's, and no device keeps it
        return redirect(target, code=303)
    _accept_forms_of(token)
    response = redirect(target, code=303)
    earlier, kept = _cookie()
    value = f"{token}~{session.get('language') or (kept if token == earlier else '')}".rstrip("~")
    response.set_cookie(**cookie("draft"), value=value, max_age=max(keep_draft(), keep_copy()))
    return response


def forget(response: Response) -> Response:
    """Leave nothing of this patient on this device.

    Forms shown so far are refused: sent again by Back and reload, they would write into the next
    patient's draft.
    """
    forget_in_session(FORGOTTEN | PROOFS)
    response.delete_cookie(**cookie("draft"))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def forget_in_session(names: set[str]) -> None:
    """Delete what the session keeps under these names."""
    for name in names:
        session.pop(name, None)


def _accept_forms_again() -> None:
    """Accept the forms of this device's draft where the browser was closed and has lost its session meanwhile."""
    if "csrf_token" not in session and draft_token():
        _accept_forms_of(draft_token())


def _accept_forms_of(token: str) -> None:
    """Accept the forms that are shown to the holder of this token, and refuse those of all others.

    The value follows from the token: nobody else can know it, and the same device knows it again
    after its session. Forms of somebody who is signed in keep a value of their own.
    """
    if "_user_id" not in session:
        session["csrf_token"] = installation().keys.authenticate("form", token.encode()).hex()
    elif draft_token() not in ("", token):
        session.pop("csrf_token", None)
