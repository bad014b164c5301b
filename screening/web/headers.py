"""Security headers of every response, how long browsers cache it, and the attributes of cookies."""

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response

from screening.installation import current_installation
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
        "frame-ancestors 'none'",
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
ABOUT_NOBODY = {"fhir.definition"}  # endpoints that set their own Cache-Control
STATIC = {"static": f"{ROOT}/static"}  # folder by endpoint
ONE_YEAR = 31_536_000  # seconds


def init_app(app: Flask) -> None:
    """Add the headers to every response, and a version to the address of each static file."""

    @app.template_global("static")
    def _address(name: str) -> str:
        return f"{request.script_root}/static/{name}?v={_version(_file(name))}"

    @app.after_request
    def _add(response: Response) -> Response:
        response.headers.update(HEADERS)
        if response.mimetype == "application/pdf":  # a browser's viewer may put it into a frame
            policy = CONTENT_SECURITY_POLICY.replace("ancestors 'none'", "ancestors 'self'")
            response.headers["Content-Security-Policy"] = policy
        is_static = request.endpoint in STATIC
        if not is_static and request.endpoint not in ABOUT_NOBODY:
            response.headers["Cache-Control"] = "no-store"
        # Only with the present version: during an upgrade an old page may request a new file.
        if is_static and response.status_code == 200 and request.method != "OPTIONS":
            name = request.path.removeprefix("/static/")
            if request.args.get("v") == _version(_file(name)):
                response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"
        if current_installation(app).settings.over_tls:
            response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}"
        return response


def serve_static(name: str) -> None:
    """Give the static files of the feature with this name a version, as those of the core have."""
    STATIC[f"{name}.static"] = f"{ROOT}/screening/features/{name}/static"


def _file(name: str) -> str:
    """Return the path of a file, given its address below `/static/`.

    The address of a feature's file begins with the name of the feature.
    """
    feature, _slash, rest = name.partition("/")
    folder = STATIC.get(f"{feature}.static")
    return f"{folder}/{rest}" if folder else f"{STATIC['static']}/{name}"


def cookie(name: str) -> dict[str, Any]:
    """Return the name and attributes of a cookie for this host alone, which no script can read."""
    secure = current_installation().settings.over_tls
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
