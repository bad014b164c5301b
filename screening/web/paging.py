"""Lists of several pages."""

from flask import (
    request,
)


def page_number() -> int:
    """Which page of a list the address asks for."""
    return min(max(request.args.get("page", 1, type=int), 1), 10**6)
