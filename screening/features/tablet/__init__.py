"""A tablet of the clinic that patients use in turn."""

from flask import Flask
from flask_babel import lazy_gettext

from screening.extension_points import Section
from screening.features.tablet import views
from screening.installation import Installation
from screening.web import headers


def init_app(app: Flask, installation: Installation) -> None:
    """Add the pages of the tablet, and restrict each tablet to the pages of its state."""
    app.before_request(views.keep_to_its_state)
    app.context_processor(views.for_templates)
    app.register_blueprint(views.blueprint)
    headers.serve_static(views.blueprint.name)
    installation.points.staff_blueprints.add(views.blueprint.name)
    installation.points.sections.append(
        Section(45, "tablet.begin", lazy_gettext("Shared tablet"), ("prescriber", "staff"))
    )
