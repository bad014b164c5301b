"""Lists of several pages."""

from flask import request


def page_number() -> int:
    """Return the number of the page in the address, from 1."""
    return min(max(request.args.get("page", 1, type=int), 1), 10**6)
