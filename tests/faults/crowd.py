"""Many connections of one visitor that repeat the same requests, in a process of its own.

`python -m tests.faults.crowd ADDRESS CONNECTIONS` reads requests from its standard input, as JSON,
and sends them over that many connections until it is ended. It then prints each status with the
number of its answers.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice

from tests.browser.server import ROOT

STATUS = slice(9, 12)  # of "HTTP/1.1 200 OK"


@contextmanager
def crowd(address: str, connections: int, requests: list[bytes]) -> Iterator[Counter[str]]:
    """Run a crowd while the block runs; then the yielded counter holds the count of each status."""
    command = [sys.executable, "-m", "tests.faults.crowd", address, str(connections)]
    answers: Counter[str] = Counter()
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([request.decode() for request in requests]).encode())
        process.stdin.close()
        try:
            assert process.stdout.readline() == b"begun\n"
            yield answers
        finally:
            process.terminate()
            for line in process.stdout.read().decode().splitlines():
                status, _, count = line.partition(" ")
                answers[status] += int(count)


async def _visit(host: str, port: int, request: bytes, answers: Counter[str]) -> None:
    while True:
        status = "broken"
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                status = (await reader.readline())[STATUS].decode() or "broken"
                await reader.read()
            finally:
                writer.close()
        answers[status] += 1


async def _main() -> None:
    host, _, port = sys.argv[1].partition(":")
    requests = [request.encode() for request in json.load(sys.stdin)]
    answers = Counter[str]()
    turns = islice(cycle(requests), int(sys.argv[2]))
    visits = [asyncio.create_task(_visit(host, int(port), request, answers)) for request in turns]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("begun", flush=True)
    await ended.wait()
    for visit in visits:
        visit.cancel()
    for status, count in answers.items():
        print(status, count)


if __name__ == "__main__":
    asyncio.run(_main())
