"""What our FHIR resources refer to, at its own address: the Questionnaire and its CodeSystem.

Nothing about anyone.
"""

import json

from flask import Blueprint, Response, abort, request

from screening.installation import installation
from screening.reports.fhir_definitions import DEFINITIONS, MEDIA_TYPE

blueprint = Blueprint("fhir", __name__, url_prefix="/fhir")

SECONDS = 300  # for which a copy may be used without asking again


@blueprint.get("/<kind>/<name>")
def definition(kind: str, name: str) -> Response:
    """The definition of today's rule book."""
    here = installation()
    if kind not in DEFINITIONS:
        abort(404)
    made = DEFINITIONS[kind](here.approved_books, base=here.settings.fhir_base)
    if name != made["id"]:
        abort(404)
    response = Response(
        json.dumps(made, ensure_ascii=False), content_type=f"{MEDIA_TYPE}; charset=utf-8"
    )
    response.cache_control.max_age = SECONDS
    response.set_etag(made["version"])
    return response.make_conditional(request)  # type: ignore[return-value]
