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
from screening.installation import installation
from screening.reports.spreadsheet import ENCODING, write_row
from screening.settings import LONGEST_DAYS
from screening.storage.private_files import KeyFault
from screening.web.errors import Page
from screening.web.sealed_values import opened_for_me, sealed_for_me
from screening.web.sign_in.guards import acting, needs
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
    settings = installation().settings
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
    act = acting()
    found = read_list(content, settings=settings, today=installation().today(), order=order)
    found = with_doubles(found, service.open_ones(act), seed)
    several = found.to_invite(seed)
    if "links" in request.form:
        return _links(found, seed)
    typed = tidy(request.form.get("days", str(settings.invitation_days)))
    days = int(typed) if typed.isdecimal() and len(typed) <= 2 else 0
    days_fault = []
    if not 1 <= days <= LONGEST_DAYS:
        days_fault.append(_("Enter a number of days from 1 to %(most)s", most=LONGEST_DAYS))
    if several and request.form.get("invite") == str(len(several)) and not days_fault:
        until = last_moment(now=act.now, days=days, timezone=settings.clinic_timezone)
        parts = _created(several, until)
        page = stream_template(
            "invitations/list_done.html",
            parts=parts,
            several=several,
            step=TOLD_EVERY,
            until=until,
            kept=_kept(content, seed, dates),
            days=days,
            early=sum(
                one.appointment is not None and one.appointment > until for one in several.values()
            ),
        )
        # a proxy is not to wait for the end
        return Response(page, headers={"X-Accel-Buffering": "no"})
    if found.faults:
        return _page(*map(_said, found.faults))
    return render_template(
        "invitations/list.html",
        faults=[],
        found=found,
        fields=[
            one
            for one in FIELDS
            if one in ("name", "birth_date") or any(row.values[one] for row in found.rows)
        ],
        names={name: _(words) for name, words in FIELDS.items()},
        said=_said,
        cells=dict(_cell_faults(found)),
        told=TOLD,
        several=several,
        kept=_kept(content, seed, dates),
        question=_question(found),
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
        "invitations/list.html", faults=[one for one in faults if one], found=None
    )


def _said(words: Words) -> str:
    return _(words.text, **words.values) if words.values else _(words.text)


def _kept(content: bytes, seed: str, dates: str) -> Mapping[str, str]:
    """What the page sends back: the file, for nobody but this person, and what was said about its days."""
    sealed = sealed_for_me(
        zlib.compress(content), table="lists", column="sealed_list", row=f"|{seed}"
    )
    return {"sealed": sealed, "seed": seed, "dates": dates}


def _cell_faults(found: InvitationList) -> Iterator[tuple[str, list[str]]]:
    """Each fault by the id of its cell, with the number of its row and the heading of its column."""
    for row in found.rows:
        for column, fault in row.faults.items():
            heading = found.headings.get(column) or (
                _(FIELDS[column]) if column else _("no heading")
            )
            place = _("Row %(row)s, %(column)s:", row=row.number, column=heading)
            yield f"row-{row.number}-{column or 'more'}", [f"{place} {_said(fault)}"]


def _question(found: InvitationList) -> Mapping[str, object] | None:
    """A day of which only the person knows the order, with what it would be in each."""
    if not found.asked:
        return None
    return {
        "text": found.asked[0],
        "days": readings(found.asked[0], installation().settings.languages),
    }


def _created(several: Mapping[str, Invitation], until: datetime) -> Iterator[int | None]:
    """Invite, and tell how many are invited by now; None where it failed: the page that tells it has begun already."""
    try:
        yield from service.create_in_parts(acting(), several, until=until)
    except Exception as err:  # noqa: BLE001 - whatever it was
        log.error("invitations of a list: %s", type(err).__name__)
        yield None


def _links(found: InvitationList, seed: str) -> Response:
    """The links of those of the list who can still answer, as CSV."""
    table = io.StringIO(newline="")
    for row in (
        ("name", "visit", "link"),
        *service.links(acting(), installation().settings, found.to_invite(seed)),
    ):
        write_row(table, row)
    disposition = {"Content-Disposition": "attachment; filename=invitations.csv"}
    return Response(table.getvalue().encode(ENCODING), mimetype="text/csv", headers=disposition)
