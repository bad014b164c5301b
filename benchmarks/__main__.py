"""`python -m benchmarks [--quick] [MEASURE ...]`: run all measures, or those named, and print their tables."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from benchmarks import (
    crowds,
    evaluation,
    inbox,
    memory,
    page,
    printing,
    rotation,
    size,
    start,
    submits,
)
from benchmarks.timing import Table

MEASURES: Mapping[str, Callable[[bool], Table]] = {
    "size": size.measure,
    "start": start.measure,
    "evaluation": evaluation.measure,
    "page": page.measure,
    "printing": printing.measure,
    "memory": memory.measure,
    "submits": submits.measure,
    "crowds": crowds.measure,
    "inbox": inbox.measure,
    "rotation": rotation.measure,
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "measures",
        nargs="*",
        metavar="MEASURE",
        help=f"any of: {', '.join(MEASURES)}; default: all",
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, for a first look")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.measures if name not in MEASURES]
    if unknown:
        parser.error(
            f"no measure is called {', '.join(unknown)}; use any of: {', '.join(MEASURES)}"
        )
    print(_machine(), flush=True)
    begun = time.perf_counter()
    for name in chosen.measures or MEASURES:
        print(f"\n{MEASURES[name](chosen.quick)}", flush=True)
    print(f"\nMeasured in {time.perf_counter() - begun:.0f} s.")


def _machine() -> str:
    """What the figures hold for."""
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("weasyprint", "flask", "zen-engine")
    )
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    main()
