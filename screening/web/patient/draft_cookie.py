"""The cookie on a patient's device: the token of the draft, and the language.

The CSRF token of the patient's forms is derived from the token of the draft.
"""

from datetime import timedelta

from flask import Flask, g, redirect, request, session
from werkzeug.wrappers import Response

from screening.installation import current_installation
from screening.web.headers import cookie

# The keys under which the session keeps data of one patient, until the patient leaves. Features add
# theirs.
FORGOTTEN = {"csrf_token", "language", "code"}
# The keys of what a patient has proved. They are also deleted when another patient begins.
PROOFS = set[str]()


def init_app(app: Flask) -> None:
    """Accept forms of a device whose browser was closed in the meantime.

    Must be called before Flask-WTF's check of CSRF tokens is set up.
    """
    app.before_request(_accept_forms_again)


def keep_draft() -> timedelta:
    """Return for how long answers are kept after the last step."""
    return g.get("longest_turn") or timedelta(hours=current_installation().settings.draft_hours)


def keep_copy() -> timedelta:
    """Return for how long answers can be seen after they were sent."""
    longest = timedelta(minutes=current_installation().settings.copy_minutes)
    return min(longest, g.get("longest_turn", longest))


def _cookie() -> tuple[str, str]:
    token, _, language = request.cookies.get(cookie("draft")["key"], "").partition("~")
    return token, language


def draft_token() -> str:
    """Return the token that this device keeps, or "". The pages for paper forms have their own."""
    token: str = g.get("paper_token") or _cookie()[0]
    return token


def language() -> str | None:
    """Return the language chosen on this device. The cookie keeps it when the session ends."""
    return session.get("language") or _cookie()[1] or None


def remember(token: str, target: str) -> Response:
    """Redirect to `target`; the device keeps the token as long as the draft, or copy, is kept.

    A browser whose cookie changes also discards the pages in its memory for Back, which show old
    answers.
    """
    if "paper_token" in g:  # no device keeps the token of a paper form
        return redirect(target, code=303)
    _accept_forms_of(token)
    response = redirect(target, code=303)
    earlier, kept = _cookie()
    value = f"{token}~{session.get('language') or (kept if token == earlier else '')}".rstrip("~")
    response.set_cookie(**cookie("draft"), value=value, max_age=max(keep_draft(), keep_copy()))
    return response


def forget(response: Response) -> Response:
    """Delete all data of this patient on this device.

    Forms shown so far are refused: Back and reload could send them into the next patient's draft.
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
    """Accept the forms of this device's draft where the browser has lost its session."""
    if "csrf_token" not in session and draft_token():
        _accept_forms_of(draft_token())


def _accept_forms_of(token: str) -> None:
    """Accept the forms that are shown to the holder of this token, and refuse all others.

    The CSRF token is derived from it: nobody else can compute it, and it is the same in the next
    session. The forms of a signed-in person keep another one.
    """
    if "_user_id" not in session:
        session["csrf_token"] = (
            current_installation().keys.authenticate("form", token.encode()).hex()
        )
    elif draft_token() not in ("", token):
        session.pop("csrf_token", None)
