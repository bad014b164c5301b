"""A process that prints summaries: `python -m benchmarks.worker VARIANT`, a number a line in, a result a line out.

Each variant has a process of its own, because what one keeps in memory would slow the others down.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.usual_case import PAPER, usual_summary
from screening.reports import fonts, pdf
from screening.reports.summary import Summary

OURS = "ours"
NAIVE = "naive"  # WeasyPrint as its first example shows it: everything made anew for each page
WITHOUT_SUBSET = "without-subset"  # ours, as it runs where libharfbuzz-subset is not installed
VARIANTS = (OURS, NAIVE, WITHOUT_SUBSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One page: how long it took, what came out, and the process's resident memory afterwards, in bytes."""

    seconds: float
    digest: str
    size: int
    resident: int


def main() -> None:
    """Print the summary of each number read until the input ends."""
    variant = sys.argv[1]
    fonts.use_own_fonts()
    if variant == WITHOUT_SUBSET:
        _hide_harfbuzz_subset()
    _check_subsetting(expected=variant != WITHOUT_SUBSET)
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    print_one = _print_naively if variant == NAIVE else _print_ours
    for line in sys.stdin:
        print(json.dumps(_measure(print_one, usual_summary(int(line)))), flush=True)


def _measure(print_one: Callable[[Summary], bytes], summary: Summary) -> dict[str, Any]:
    begun = time.perf_counter()
    content = print_one(summary)
    seconds = time.perf_counter() - begun
    digest = hashlib.sha256(content).hexdigest()
    return {"seconds": seconds, "digest": digest, "size": len(content), "resident": _resident()}


def _print_ours(summary: Summary) -> bytes:
    return pdf.print_summary(summary, paper=PAPER).content


def _print_naively(summary: Summary) -> bytes:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    html = pdf.summary_html(summary, paper=PAPER)
    configuration = FontConfiguration()
    style = CSS(filename=str(pdf.STYLE), font_config=configuration)
    content: bytes = HTML(string=html).write_pdf(font_config=configuration, stylesheets=[style], pdf_tags=True)
    return content


def _hide_harfbuzz_subset() -> None:
    """Make the library fail to load, as it does where it is not installed; WeasyPrint then takes fontTools."""
    import cffi  # type: ignore[import-untyped]

    load = cffi.FFI.dlopen

    def load_others(ffi: Any, name: str, flags: int = 0) -> Any:
        if "harfbuzz-subset" in name:
            raise OSError(f"{name} is hidden from this measure")
        return load(ffi, name, flags)

    cffi.FFI.dlopen = load_others


def _check_subsetting(*, expected: bool) -> None:
    """Stop where the library is loaded although it was hidden, or is missing where it should be used."""
    from weasyprint.text import ffi

    if (ffi.harfbuzz_subset is not None) is not expected:
        raise SystemExit(
            "libharfbuzz-subset could not be hidden; see how this release of WeasyPrint loads it"
            if not expected
            else "libharfbuzz-subset is not installed: apt-get install libharfbuzz-subset0"
        )


def _resident() -> int:
    """The resident memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
