"""The Questionnaire and CodeSystem that exported FHIR resources refer to, at their addresses."""

import json

from flask import Blueprint, Response, abort, request

from screening.installation import current_installation
from screening.reports.fhir_definitions import DEFINITIONS, MEDIA_TYPE

blueprint = Blueprint("fhir", __name__, url_prefix="/fhir")

SECONDS = 300  # for which a response may be cached


@blueprint.get("/<kind>/<name>")
def definition(kind: str, name: str) -> Response:
    """Return the definition of today's rule book."""
    installation = current_installation()
    if kind not in DEFINITIONS:
        abort(404)
    resource = DEFINITIONS[kind](installation.approved_books, base=installation.settings.fhir_base)
    if name != resource["id"]:
        abort(404)
    content = json.dumps(resource, ensure_ascii=False)
    response = Response(content, content_type=f"{MEDIA_TYPE}; charset=utf-8")
    response.cache_control.max_age = SECONDS
    response.set_etag(resource["version"])
    return response.make_conditional(request)  # type: ignore[return-value]
