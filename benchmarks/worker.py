"""A process that prints summaries: `python -m benchmarks.worker VARIANT`.

It reads a number from each line of its input, and writes a result for each. Each variant has its
own process: the objects that a variant keeps in memory would slow down the others.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import rivals
from benchmarks.usual_case import PAPER, usual_source, usual_style, usual_summary
from screening.printing import fonts, pdf
from screening.printing.page import Page
from screening.printing.renderer import Renderer
from screening.printing.renderer_process import current_renderer
from screening.printing.signature import Signature, new_key

# the PDF of a clinic: isolated, tagged, conformant to both standards, with its source, signed
COMPLETE = "complete"
ISOLATED = "isolated"  # the same page in a child process, without a signature
IN_PROCESS = "in process"  # the same page without a child process
# WeasyPrint as in its first example: no object is reused, the page has no tags and no attachment
NAIVE = "naive"
# `in process` as it runs where libharfbuzz-subset is not installed
WITHOUT_SUBSET = "without subset"
REPORTLAB = "ReportLab"
TYPST = "Typst"

PrintOne = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """The time of a page, its size, and the resident memory of the processes after it, in bytes."""

    seconds: float
    size: int
    resident: int


def main() -> None:
    """Print the summary of each number in the input."""
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
        printed = pdf.print_summary(summary, paper=PAPER, attached=source, to_be_signed=True)
        return signature.sign(printed.content)

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
    def start() -> PrintOne:
        print_summary = printer(Path(os.environ["FONTCONFIG_FILE"]).parent)
        return lambda number: print_summary(usual_summary(number))

    return start


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
    """Make the library fail to load, as if not installed: WeasyPrint then uses fontTools."""
    import cffi  # type: ignore[import-untyped]

    load = cffi.FFI.dlopen

    def load_others(ffi: Any, name: str, flags: int = 0) -> Any:
        if "harfbuzz-subset" in name:
            raise OSError(f"{name} is hidden from this benchmark")
        return load(ffi, name, flags)

    cffi.FFI.dlopen = load_others


def _check_subsetting(*, expected: bool) -> None:
    """Raise SystemExit where the library is loaded although it is hidden, or is missing."""
    from weasyprint.text import ffi

    is_loaded = ffi.harfbuzz_subset is not None
    if expected and not is_loaded:
        raise SystemExit("libharfbuzz-subset is not installed: apt-get install libharfbuzz-subset0")
    if is_loaded and not expected:
        raise SystemExit(
            "libharfbuzz-subset could not be hidden; see how this release of WeasyPrint loads it"
        )


def family(process: int) -> Iterator[int]:
    """Yield the ids of a process and of all its descendants."""
    yield process
    children: list[str] = []
    with suppress(OSError):  # the process, or a thread of it, has ended
        for file in Path(f"/proc/{process}/task").glob("*/children"):
            children += file.read_text(encoding="ascii").split()
    for child in children:
        yield from family(int(child))


def _resident() -> int:
    """Return the resident memory of this process and its descendants, in bytes."""
    pages = (
        Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
        for process in family(os.getpid())
    )
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
