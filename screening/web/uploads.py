"""Uploaded files: how large they may be; none of them is written to a disk."""

from contextlib import suppress
from io import BytesIO
from typing import IO

from flask import Flask, Request, request

# Twice the longest summary, in which every field is full of different Chinese characters.
FILE_BYTES = 2 * 1024 * 1024
MOST = {"verify.file": FILE_BYTES}  # by endpoint; features add theirs
PART = 64 * 1024  # bytes read at once


class InMemory(Request):
    """A request whose files are never written to a disk."""

    def _get_file_stream(self, *_args: object, **_kwargs: object) -> IO[bytes]:
        return BytesIO()


def init_app(app: Flask) -> None:
    """Set the largest size of uploads, and keep them in memory.

    Must be called before anything that reads forms.
    """
    app.request_class = InMemory

    @app.before_request
    def _larger() -> None:
        if request.endpoint in MOST:
            request.max_content_length = request.max_form_memory_size = MOST[request.endpoint]


def read_the_rest() -> None:
    """Read the rest of a request that is too large: a proxy that still sends reads no response."""
    rest = request.environ["wsgi.input"]
    with suppress(OSError):  # the client has gone
        for _number in range(MOST[str(request.endpoint)] // PART):
            if not rest.read(PART):
                break
