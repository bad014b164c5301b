"""How much a patient's phone loads to show the first page."""

from __future__ import annotations

import gzip
import re

from benchmarks.installed import installed
from benchmarks.timing import Table

GZIP_LEVEL = 6
MOST_BYTES = 15_000

_STYLESHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)"')


def measure(quick: bool) -> Table:
    """The first page's HTML and every style sheet it links, each compressed on its own as a server does."""
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
            *(
                (name, f"{len(content):,}", f"{_packed(content):,}", "")
                for name, content in parts.items()
            ),
            ("All", f"{plain:,}", f"{packed:,}", f"under {MOST_BYTES:,}"),
        ),
    )


def _packed(content: bytes) -> int:
    return len(gzip.compress(content, GZIP_LEVEL, mtime=0))
