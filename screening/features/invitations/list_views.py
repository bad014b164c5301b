"""Inviting all patients of a list: choose the file, look at how it is understood, invite.

Between these pages the server keeps nothing. The file goes into the page sealed, and comes back
with the button.
"""

import io
import logging
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import uuid4

from flask import Response, render_template, request, stream_template
from flask_babel import gettext as _
from werkzeug.exceptions import RequestEntityTooLarge

from screening.domain.answers import tidy
from screening.features.invitations import service
from screening.features.invitations.dates import Order, readings
from screening.features.invitations.invitation import Invitation, last_moment
from screening.features.invitations.patient_list import (
    FIELDS,
    InvitationList,
    Words,
    read_list,
    with_doubles,
)
from screening.features.invitations.views import blueprint
from screening.installation import current_installation
from screening.reports.spreadsheet import ENCODING, write_row
from screening.settings import LONGEST_DAYS
from screening.storage.private_files import KeyFault
from screening.web.errors import Page
from screening.web.sealed_values import opened_for_me, sealed_for_me
from screening.web.sign_in.guards import current_actor, needs
from screening.web.uploads import FILE_BYTES, read_the_rest

TOLD_EVERY = 100  # patients who are invited
FORM_BYTES = FILE_BYTES * 3 // 2  # a list comes back sealed: a third longer
TOLD = 20  # faults above the table; each stands at its cell too

log = logging.getLogger("screening")


@blueprint.route("/clinic/invitations/list", methods=["GET", "POST"])
@needs("prescriber", "staff")
def many() -> Page:
    """Choose a file; then see how it is understood, until "Invite 48 patients" is pressed."""
    if request.method == "GET":
        return _page("")
    settings = current_installation().settings
    sent = request.files.get("list")
    seed = request.form.get("seed", "")
    content = sent.read() if sent else b""
    if content:
        seed = uuid4().hex
    elif seed:
        try:
            sealed = request.form.get("sealed", "")
            content = zlib.decompress(
                opened_for_me(sealed, table="lists", column="sealed_list", row=f"|{seed}")
            )
        except (KeyFault, ValueError, zlib.error):
            return _page(_("This page cannot be used any more. Choose the file again"))
    if not content:
        return _page(_("Choose the file with the list"))
    if len(content) > FILE_BYTES:
        return _page(
            _("This file is too large: 2 MB are the most. Save the sheet with the list alone")
        )
    dates = request.form.get("dates", "")
    order = Order(dates) if dates in [*Order] else None
    actor = current_actor()
    patients = read_list(
        content, settings=settings, today=current_installation().today(), order=order
    )
    patients = with_doubles(patients, service.open_ones(actor), seed)
    several = patients.to_invite(seed)
    if "links" in request.form:
        return _links(patients, seed)
    typed = tidy(request.form.get("days", str(settings.invitation_days)))
    days = int(typed) if typed.isdecimal() and len(typed) <= 2 else 0
    days_fault = []
    if not 1 <= days <= LONGEST_DAYS:
        days_fault.append(_("Enter a number of days from 1 to %(most)s", most=LONGEST_DAYS))
    if several and request.form.get("invite") == str(len(several)) and not days_fault:
        until = last_moment(now=actor.now, days=days, timezone=settings.clinic_timezone)
        parts = _created(several, until)
        page = stream_template(
            "invitations/list_done.html",
            parts=parts,
            several=several,
            step=TOLD_EVERY,
            until=until,
            sent_back=_sent_back(content, seed, dates),
            days=days,
            early=sum(invitation.is_after(until) for invitation in several.values()),
        )
        # a proxy is not to wait for the end
        return Response(page, headers={"X-Accel-Buffering": "no"})
    if patients.faults:
        return _page(*map(_said, patients.faults))
    return render_template(
        "invitations/list.html",
        faults=[],
        patients=patients,
        fields=[
            name
            for name in FIELDS
            if name in ("name", "birth_date") or any(row.values[name] for row in patients.rows)
        ],
        names={name: _(words) for name, words in FIELDS.items()},
        said=_said,
        cells=dict(_cell_faults(patients)),
        told=TOLD,
        several=several,
        sent_back=_sent_back(content, seed, dates),
        question=_question(patients),
        dates=dates,
        days=typed,
        days_fault=days_fault,
        changed="invite" in request.form and not days_fault,
    )


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> Page:
    read_the_rest()
    return _page(
        _("This file is too large: 2 MB are the most. Save the sheet with the list alone")
    ), 413


def _page(*faults: str) -> str:
    return render_template(
        "invitations/list.html", faults=[fault for fault in faults if fault], patients=None
    )


def _said(words: Words) -> str:
    return _(words.text, **words.values) if words.values else _(words.text)


def _sent_back(content: bytes, seed: str, dates: str) -> Mapping[str, str]:
    """Return what the page sends back: the file, sealed for this person, and its order of days."""
    sealed = sealed_for_me(
        zlib.compress(content), table="lists", column="sealed_list", row=f"|{seed}"
    )
    return {"sealed": sealed, "seed": seed, "dates": dates}


def _cell_faults(patients: InvitationList) -> Iterator[tuple[str, list[str]]]:
    """Yield the id of each cell at fault, and its fault with row and heading."""
    for row in patients.rows:
        for column, fault in row.faults.items():
            heading = patients.headings.get(column) or (
                _(FIELDS[column]) if column else _("no heading")
            )
            place = _("Row %(row)s, %(column)s:", row=row.number, column=heading)
            yield f"row-{row.number}-{column or 'more'}", [f"{place} {_said(fault)}"]


def _question(patients: InvitationList) -> Mapping[str, object] | None:
    """Return a day of which only the person knows the order, with its meaning in each order."""
    if not patients.asked:
        return None
    return {
        "text": patients.asked[0],
        "days": readings(patients.asked[0], current_installation().settings.languages),
    }


def _created(several: Mapping[str, Invitation], until: datetime) -> Iterator[int | None]:
    """Invite, and yield how many are invited; None after a failure.

    The page has begun by then, so an exception could not be shown.
    """
    try:
        yield from service.create_in_parts(current_actor(), several, until=until)
    except Exception as err:  # noqa: BLE001 - whatever it was
        log.error("invitations of a list: %s", type(err).__name__)
        yield None


def _links(patients: InvitationList, seed: str) -> Response:
    """Return the links of the list that can still be answered, as CSV."""
    table = io.StringIO(newline="")
    for row in (
        ("name", "visit", "link"),
        *service.links(current_actor(), current_installation().settings, patients.to_invite(seed)),
    ):
        write_row(table, row)
    disposition = {"Content-Disposition": "attachment; filename=invitations.csv"}
    return Response(table.getvalue().encode(ENCODING), mimetype="text/csv", headers=disposition)
