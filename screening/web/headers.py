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
ABOUT_NOBODY = {"fhir.definition"}
STATIC = {"static": f"{ROOT}/static"}  # folders by endpoint
ONE_YEAR = 31_536_000  # seconds


def init_app(app: Flask) -> None:
    """Add the headers to everything this application answers, and the version of its content to a file's address."""

    @app.template_global("static")
    def _address(name: str) -> str:
        return f"{request.script_root}/static/{name}?v={_version(_file(name))}"

    @app.after_request
    def _add(response: Response) -> Response:
        response.headers.update(HEADERS)
        is_static = request.endpoint in STATIC
        if not is_static and request.endpoint not in ABOUT_NOBODY:
            response.headers["Cache-Control"] = "no-store"
        # Only under the version that it has now: during an upgrade an old page may ask for a new
        # file.
        if is_static and response.status_code == 200:
            name = request.path.removeprefix("/static/")
            if request.args.get("v") == _version(_file(name)):
                response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"
        if installation(app).settings.over_tls:
            response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}"
        return response


def serve_static(name: str) -> None:
    """Let the files of a feature's blueprint of this name have a version, as those of the core."""
    STATIC[f"{name}.static"] = f"{ROOT}/screening/features/{name}/static"


def _file(name: str) -> str:
    """Return the path of a file by its address below `/static/`: those of a feature begin with its name."""
    feature, _slash, rest = name.partition("/")
    folder = STATIC.get(f"{feature}.static")
    return f"{folder}/{rest}" if folder else f"{STATIC['static']}/{name}"


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
