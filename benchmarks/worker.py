"""A process that prints summaries: `python -m benchmarks.worker VARIANT`, a number a line in, a result a line out.

Each variant has a process of its own, because what one keeps in memory would slow the others down.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import rivals
from benchmarks.usual_case import PAPER, usual_source, usual_style, usual_summary
from screening.printing import fonts, pdf
from screening.printing.renderer import Page, Renderer
from screening.printing.renderer_process import current_renderer
from screening.printing.signature import Signature, new_key

# as clinics get it: isolated, tagged, both conformances, its source attached, signed
COMPLETE = "complete"
ISOLATED = "isolated"  # the same unsigned page, in a child process of its own
IN_PROCESS = "in process"  # the same page without that
# WeasyPrint as its first example shows it: everything made anew for each page, nothing but the page
NAIVE = "naive"
# `in process` as it runs where libharfbuzz-subset is not installed
WITHOUT_SUBSET = "without subset"
REPORTLAB = "ReportLab"
TYPST = "Typst"

PrintOne = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One page: how long it took, how large it is, and the resident memory of the processes afterwards, in bytes."""

    seconds: float
    size: int
    resident: int


def main() -> None:
    """Print the summary of each number read until the input ends."""
    variant = sys.argv[1]
    fonts.use_own_fonts()
    if variant == WITHOUT_SUBSET:
        _hide_harfbuzz_subset()
    if variant in (NAIVE, IN_PROCESS, WITHOUT_SUBSET):
        _check_subsetting(expected=variant != WITHOUT_SUBSET)
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    print_one = PRINTERS[variant]()
    for line in sys.stdin:
        print(json.dumps(_measure(print_one, int(line))), flush=True)


def _measure(print_one: PrintOne, number: int) -> dict[str, Any]:
    begun = time.perf_counter()
    content = print_one(number)
    return {"seconds": time.perf_counter() - begun, "size": len(content), "resident": _resident()}


def _complete() -> PrintOne:
    signature = Signature(new_key("Riverside Dermatology", now=datetime.now(UTC)).encode())

    def print_one(number: int) -> bytes:
        summary = usual_summary(number)
        source = usual_source(number)
        return signature.sign(
            pdf.print_summary(summary, paper=PAPER, attached=source, to_be_signed=True).content
        )

    return print_one


def _page(number: int) -> Page:
    html = pdf.summary_html(usual_summary(number), paper=PAPER)
    return Page(html=html, style="pdf.css", to_be_signed=True, attached=usual_source(number))


def _isolated() -> PrintOne:
    return lambda number: current_renderer().print(_page(number)).content


def _in_process() -> PrintOne:
    renderer = Renderer()
    return lambda number: renderer.render(_page(number))[0]


def _naively() -> PrintOne:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    def print_one(number: int) -> bytes:
        configuration = FontConfiguration()
        style = CSS(string=usual_style(), font_config=configuration)
        html = HTML(string=pdf.summary_html(usual_summary(number), paper=PAPER))
        content: bytes = html.write_pdf(font_config=configuration, stylesheets=[style])
        return content

    return print_one


def _rival(printer: Callable[[Path], Callable[[Any], bytes]]) -> Callable[[], PrintOne]:
    def made() -> PrintOne:
        print_summary = printer(Path(os.environ["FONTCONFIG_FILE"]).parent)
        return lambda number: print_summary(usual_summary(number))

    return made


PRINTERS: dict[str, Callable[[], PrintOne]] = {
    COMPLETE: _complete,
    ISOLATED: _isolated,
    IN_PROCESS: _in_process,
    NAIVE: _naively,
    WITHOUT_SUBSET: _in_process,
    REPORTLAB: _rival(rivals.reportlab_printer),
    TYPST: _rival(rivals.typst_printer),
}


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


def family(process: int) -> Iterator[int]:
    """A process, its children, and theirs."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text(encoding="ascii").split():
            yield from family(int(child))


def _resident() -> int:
    """The resident memory of this process and those that it keeps, in bytes."""
    pages = (
        Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1]
        for one in family(os.getpid())
    )
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
