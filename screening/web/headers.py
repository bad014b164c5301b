"""Security headers on every response."""

from flask import Flask, request
from werkzeug.wrappers import Response

from screening.extensions import installation

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ABOUT_NOBODY = frozenset({"static", "fhir.definition"})  # they say themselves how long a copy may be kept
ONE_YEAR = 31_536_000  # seconds


def init_app(app: Flask) -> None:
    """Add the headers to everything this application answers."""

    @app.after_request
    def _add(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.endpoint not in ABOUT_NOBODY:
            response.headers["Cache-Control"] = "no-store"
        if installation(app).settings.over_tls:
            response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}"
        return response
