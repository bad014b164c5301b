"""A page to print and its limits, for the process that asks for it and the one that prints."""

from typing import TypedDict

SECONDS = 10  # for each page; one with the longest answers takes less than one second
MEMORY = 1 << 30  # bytes of address space


class Attached(TypedDict):
    """A file within the PDF: its machine-readable source. `created` is a time in ISO 8601."""

    name: str
    description: str
    content: str
    created: str


class Page(TypedDict):
    """A page to print."""

    html: str  # well-formed XML too
    style: str  # file name of the style sheet
    to_be_signed: bool
    attached: Attached | None
