"""Run all benchmarks, or those named, and print their tables."""

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
    soak,
    start,
    submits,
)
from benchmarks.timing import Table

BENCHMARKS: Mapping[str, Callable[[bool], Table]] = {
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
    "soak": soak.measure,
}


def main() -> None:
    """Run the benchmarks that are arguments of the command."""
    names = ", ".join(BENCHMARKS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help=f"any of: {names}; default: all"
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, for a first look")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.benchmarks if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; use any of: {names}")
    print(_machine(), flush=True)
    begun = time.perf_counter()
    for name in arguments.benchmarks or BENCHMARKS:
        print(f"\n{BENCHMARKS[name](arguments.quick)}", flush=True)
    print(f"\nMeasured in {time.perf_counter() - begun:.0f} s.")


def _machine() -> str:
    """Describe the machine and the versions on which the benchmarks run."""
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    names = ("weasyprint", "flask", "zen-engine")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    main()
