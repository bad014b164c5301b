"""On a real server, memory and log keep to themselves what was sent."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.serving import Server, children, served

MARKER = "Zyxwvutina"
# What gunicorn cannot parse, and would log in its words.
REQUESTS = (
    f"GET /{MARKER} MARKERPROTOCOL/9\r\n\r\n",
    f"GE({MARKER} / HTTP/1.1\r\n\r\n",
    f"GET / HTTP/1.1\r\nname {MARKER}\r\n\r\n",
    f"GET / HTTP/1.1\r\nname {MARKER}: x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: {MARKER}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {MARKER}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{MARKER}\r\n0\r\n\r\n",
    f"GET /{MARKER * 1000} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\n{MARKER}: {'x' * 9000}\r\n\r\n",
)


def answer(server: Server, request: str) -> bytes:
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_no_process_leaves_a_core_dump_and_no_bad_request_its_words(tmp_path: Path) -> None:
    with served(tmp_path, prints=True) as server:
        workers = server.processes()
        assert workers
        processes = [
            server.master,
            *workers,
            *(child for worker in workers for child in children(worker)),
        ]
        for process in processes:
            limits = Path(f"/proc/{process}/limits").read_text(encoding="ascii")
            (line,) = (
                line for line in limits.splitlines() if line.startswith("Max core file size")
            )
            assert line.split()[4:6] == ["0", "0"], process
        for request in REQUESTS:
            answer(server, request)
        log = server.printed
        assert MARKER not in log
        assert "MARKERPROTOCOL" not in log
        assert log.count("a request failed: Invalid") >= 4


@pytest.mark.parametrize("program", ["wsgi", "worker; worker.Worker.setup()"])
def test_a_process_cannot_be_traced_by_others_of_its_user(tmp_path: Path, program: str) -> None:
    asked = "import ctypes; print('dumpable', ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    code = f"import {program}; {asked}"
    environ = {"SCREENING_INSTANCE": str(tmp_path / "none"), "FLASK_RUN_FROM_CLI": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "dumpable 0\n"
