"""Invitations: the link of one visit for one patient."""

from flask import Flask
from flask_babel import lazy_gettext

from screening.extension_points import Section
from screening.features.invitations import expected, list_views, store, views
from screening.installation import Installation
from screening.web import errors, headers, uploads
from screening.web.patient import draft_cookie


def init_app(app: Flask, installation: Installation) -> None:
    """Add the pages for staff and for patients, and what other pages know of an invitation."""
    app.register_blueprint(views.blueprint)
    app.register_blueprint(views.link)
    headers.serve_static(views.blueprint.name)
    errors.BEGINNINGS.add("invited.open_link")
    uploads.MOST["invitations.many"] = list_views.FORM_BYTES
    draft_cookie.FORGOTTEN.add("born")
    draft_cookie.PROOFS.add("proved")
    installation.points.staff_blueprints.add(views.blueprint.name)
    installation.points.draft_owners.append(store.is_of_invitation)
    installation.points.notices.append(views.notice)
    installation.points.expected.append(expected.expected)
    installation.points.appointments.append(expected.appointments)
    installation.points.preparations.append(expected.note_days)
    installation.points.known_patients.append(views.invited_patient)
    installation.points.sections.append(
        Section(
            20,
            "invitations.all_of_them",
            lazy_gettext("Invitations"),
            ("prescriber", "staff"),
            has_blueprint=True,
        )
    )
