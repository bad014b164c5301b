"""The bytes that a patient's phone loads for the first page."""

from __future__ import annotations

import gzip
import re

from benchmarks.installed import installed
from benchmarks.timing import Table

GZIP_LEVEL = 6
MOST_BYTES = 15_000

_STYLESHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)"')


def measure(quick: bool) -> Table:
    """Measure the first page's HTML and each linked style sheet, compressed as by a server."""
    del quick
    with installed() as app:
        client = app.test_client()
        html = client.get("/").get_data()
        parts = {"HTML of the first page": html}
        for address in _STYLESHEET.findall(html.decode()):
            with client.get(address) as answer:
                parts[address] = answer.get_data()
    plain = sum(map(len, parts.values()))
    packed = sum(map(_packed, parts.values()))
    return Table(
        title="Size of the first page",
        head=("Part", "bytes", "bytes, gzip", "to reach"),
        rows=(
            *(_row(name, len(content), _packed(content)) for name, content in parts.items()),
            _row("All", plain, packed, f"under {MOST_BYTES:,}"),
        ),
    )


def _row(name: str, plain: int, packed: int, to_reach: str = "") -> tuple[str, ...]:
    return name, f"{plain:,}", f"{packed:,}", to_reach


def _packed(content: bytes) -> int:
    return len(gzip.compress(content, GZIP_LEVEL, mtime=0))
