"""Security headers on every response, how long browsers keep it, and what makes our cookies safe."""

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response

from screening.installation import installation
from screening.settings import ROOT

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
# they say themselves how long a copy may be kept
ABOUT_NOBODY = frozenset({"static", "fhir.definition"})
ONE_YEAR = 31_536_000  # seconds


def init_app(app: Flask) -> None:
    """Add the headers to everything this application answers, and the version of its content to a file's address."""
    folder = f"{ROOT}/static"

    @app.template_global("static")
    def _address(name: str) -> str:
        return f"{request.script_root}/static/{name}?v={_version(f'{folder}/{name}')}"

    @app.after_request
    def _add(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.endpoint not in ABOUT_NOBODY:
            response.headers["Cache-Control"] = "no-store"
        # Only under the version that it has now: during an upgrade an old page may ask for a new
        # file.
        if request.endpoint == "static" and response.status_code == 200:
            given = request.args.get("v")
            if given == _version(f"{folder}/{(request.view_args or {})['filename']}"):
                response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"
        if installation(app).settings.over_tls:
            response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}"
        return response


def cookie(name: str) -> dict[str, Any]:
    """The name and the attributes of a cookie: for this host alone, and no script reads it."""
    secure = installation().settings.over_tls
    return {
        "key": f"__Host-{name}" if secure else name,
        "secure": secure,
        "httponly": True,
        "samesite": "Lax",
    }


def _version(file: str) -> str:
    return _digest(file, os.stat(file).st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(file: str, _changed: int) -> str:
    return sha256(Path(file).read_bytes()).hexdigest()[:12]
