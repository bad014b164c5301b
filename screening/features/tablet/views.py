"""A tablet that patients use in turn.

Its browser opens only the pages of its state.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask_babel import force_locale, ngettext
from flask_babel import gettext as _
from flask_security import hash_password, logout_user, url_for_security, verify_password
from werkzeug.wrappers import Response

from screening.domain.answers import Patient
from screening.extensions import db
from screening.features.tablet import service
from screening.features.tablet.service import LOCKED, MOST_TRIES, PATIENT, STAFF, NoTablet
from screening.features.tablet.tables import TabletRow
from screening.installation import current_installation
from screening.storage.drafts import hash_token
from screening.web import language
from screening.web.errors import Page
from screening.web.forms.about_you import VisitForm
from screening.web.headers import cookie
from screening.web.patient import draft as patient_draft
from screening.web.patient import draft_cookie
from screening.web.sign_in.guards import current_actor, needs

blueprint = Blueprint(
    "tablet",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static/tablet",
)

# The state of a browser that was a tablet, until somebody presses a button on it.
ENDED = "ended"
# Longer than any draft of the tablet, so that no draft is left in an ordinary browser.
KEPT = timedelta(days=1)
PATIENTS_WAY = {
    "start",
    "about_you",
    "resume",
    "question",
    "check",
    "submit",
    "done",
}
# The endpoints that are open in each state, besides style sheets and the health check. All other
# requests are redirected to the first of them.
ANSWERS = {
    PATIENT: (
        "patient.start",
        "language.switch_page",
        "tablet.lock",
        "papers.leaflet",
        "papers.privacy",
        *(f"patient.{name}" for name in PATIENTS_WAY),
    ),
    LOCKED: ("tablet.page", "tablet.unlock"),
    STAFF: ("tablet.page", "tablet.hand_over", "tablet.lock", "tablet.end"),
    ENDED: ("tablet.page", "tablet.end"),
}
_PIN = re.compile(r"[0-9]{4,8}")
_RUNS = "01234567890 09876543210"

Errors = dict[str, list[str]]


def for_templates() -> dict[str, object]:
    """Return the values that every template gets."""
    state = g.get("tablet", "")
    return {
        "tablet": state,
        "tablet_turn": int(service.TURN.total_seconds()),
        "holder": _holder(state),
    }


def _holder(state: str) -> str | None:
    """Return who holds this browser, for `holder.js`; None where it is a patient's own."""
    if state:
        return f"{state} {hash_token(draft_cookie.draft_token())[:8] if state == PATIENT else ''}"
    return "" if language.is_for_staff() else None


def keep_to_its_state() -> Response | None:
    """Redirect from pages outside the state of this tablet. `g.tablet` is "" elsewhere."""
    g.tablet = ""
    if not _token() or request.endpoint in ("static", "tablet.static", "health.alive"):
        return None
    row = service.find(db.session, _token(), now=datetime.now(UTC))
    g.tablet = row.state if row else ENDED
    g.shared_device = True
    g.longest_turn = service.TURN
    if g.tablet == PATIENT and not patient_draft.is_here():
        g.tablet = LOCKED  # nobody has taken a step for so long that the draft's time is over
        if draft_cookie.draft_token():
            return draft_cookie.forget(redirect(url_for("tablet.page"), code=303))
    answers = ANSWERS[g.tablet]
    return None if request.endpoint in answers else redirect(url_for(answers[0]), code=303)


@blueprint.route("/clinic/tablet", methods=["GET", "POST"])
@needs("prescriber", "staff")
def begin() -> Page:
    """Make this browser a tablet for the first patient, and sign the member of staff out."""
    form = VisitForm.filled_with(None, request.form or None)
    errors = {}
    if request.method == "POST":
        of_pin = _pin_errors()
        of_visit = _visit_errors(form)
        if of_visit and not of_pin:  # it is not sent back with the page
            of_pin = {"pin": [_("Type the PIN again")]}
        errors = {**of_pin, **of_visit}
        if not errors:
            pin = hash_password(request.form["pin"])
            signed_in = session["sign_in"]
            draft = draft_cookie.draft_token()
            tokens = service.begin(
                current_actor(), pin=pin, sign_in=signed_in, patient=_patient(form), draft=draft
            )
            logout_user()
            return _handed_over(*tokens)
    return render_template("tablet/begin.html", form=form, errors=errors)


@blueprint.get("/tablet")
def page() -> Page:
    """Show what can be done with the tablet in its present state."""
    if g.tablet == STAFF:
        return render_template(
            "tablet/next.html",
            form=VisitForm.filled_with(None, request.form or None),
            errors={},
            sent=_row().sent,
        )
    if g.tablet == ENDED:
        return render_template("tablet/ended.html")
    if g.tablet == LOCKED:
        return _locked_page({})
    return redirect(url_for("tablet.begin"))


@blueprint.post("/tablet/hand-over")
def hand_over() -> Page:
    """Hand the tablet to the next patient."""
    form = VisitForm.filled_with(None, request.form or None)
    if errors := _visit_errors(form):
        return render_template("tablet/next.html", form=form, errors=errors, sent=_row().sent)
    actor = patient_draft.current_actor(_row().begun_by)
    draft = service.hand_over(
        actor, _token(), patient=_patient(form), draft=draft_cookie.draft_token()
    )
    return _handed_over(_token(), draft)


@blueprint.post("/tablet/lock")
def lock() -> Page:
    """End the turn of a patient."""
    service.lock(patient_draft.current_actor("tablet"), _token(), draft=draft_cookie.draft_token())
    return draft_cookie.forget(redirect(url_for("tablet.page"), code=303))


@blueprint.post("/tablet/unlock")
def unlock() -> Page:
    """Take the tablet back."""
    row = _row()
    tries = row.tries
    begun_by = row.begun_by
    fits = verify_password(request.form.get("pin", "")[:100], row.pin)
    by = begun_by if fits else "tablet"
    if service.unlock(
        patient_draft.current_actor(by),
        _token(),
        fits=fits,
        tries=tries,
        draft=draft_cookie.draft_token(),
    ):
        return draft_cookie.forget(redirect(url_for("tablet.page"), code=303))
    left = MOST_TRIES - tries - 1
    if left <= 0:
        return redirect(url_for("tablet.page"), code=303)
    wrong = ngettext(
        "That is not the PIN. %(num)s try is left",
        "That is not the PIN. %(num)s tries are left",
        left,
    )
    return _locked_page({"pin": [wrong]})


@blueprint.post("/tablet/end")
def end() -> Page:
    """Make this browser an ordinary one again."""
    if g.tablet != ENDED:
        service.end(patient_draft.current_actor(_row().begun_by), _token())
    session.clear()  # a person may have signed in while the tablet began
    response = draft_cookie.forget(redirect(url_for_security("login"), code=303))
    response.delete_cookie(**cookie("tablet"))
    return response


@blueprint.errorhandler(NoTablet)
def _no_tablet(error: NoTablet) -> Page:
    return redirect(url_for("tablet.page"), code=303)


def _handed_over(token: str, draft: str) -> Response:
    """Redirect to the patient's start page, without anything of the person before."""
    session.clear()
    response = draft_cookie.remember(draft, url_for("patient.start"))
    response.headers["Clear-Site-Data"] = '"cache"'
    response.set_cookie(**cookie("tablet"), value=token, max_age=KEPT)
    return response


def _locked_page(errors: Errors) -> str:
    return render_template(
        "tablet/locked.html", errors=errors, thanks=list(_thanks(sent=_row().sent))
    )


def _thanks(*, sent: bool | None) -> Iterator[tuple[str, str]]:
    """Yield the thanks in each language: the patient's own is not known any more."""
    for code, _name in language.offered():
        with force_locale(code.replace("-", "_")):
            kept = (
                _("Your answers were sent to the clinic.")
                if sent
                else _("Answers that were not sent were deleted.")
            )
            thanks = _("Thank you. Please give the tablet back to staff.")
            yield code, f"{kept} {thanks}"


def _pin_errors() -> Errors:
    pin = request.form.get("pin", "")
    again = request.form.get("again", "")
    if not _PIN.fullmatch(pin):
        return {"pin": [_("Choose a PIN of 4 to 8 digits")]}
    if len(set(pin)) == 1 or pin in _RUNS:
        return {"pin": [_("Choose a PIN that is harder to guess")]}
    return {} if pin == again else {"again": [_("Type the same PIN twice")]}


def _visit_errors(form: VisitForm) -> Errors:
    """Return the errors of the patient's particulars. All of them may be left to the patient."""
    installation = current_installation().settings
    if not any(field.data for field in form) or form.check(
        languages=installation.languages, today=current_installation().today()
    ):
        return {}
    return {name: list(messages) for name, messages in form.errors.items()}


def _patient(form: VisitForm) -> Patient | None:
    return getattr(form, "patient", None)


def _row() -> TabletRow:
    """Return the row of this tablet. Raises NoTablet."""
    row = service.find(db.session, _token(), now=datetime.now(UTC))
    if row is None:
        raise NoTablet
    return row


def _token() -> str:
    return request.cookies.get(cookie("tablet")["key"], "")
