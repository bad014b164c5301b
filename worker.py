"""The gunicorn worker: gthread, whose threads are given to requests that have arrived whole, in fair shares.

gthread gives a thread to each connection. A client that sends half of a request holds it for ever,
one that does not close its end of a connection holds up all others for two seconds, and one visitor
with many connections takes all threads. Here the main loop reads, a visitor gets SHARE of the
threads of a process, and further requests of the same visitor wait for those before them. See
docs/decisions/0029.
"""

import re
import selectors
import socket
import struct
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

SHARE = 0.5  # of the threads
WHOLE_SECONDS = 20  # for a request to arrive, for the other end to close
CLOSING_SECONDS = 2
UNWANTED_SECONDS = 0.1  # for the rest of a body that nobody read
STALLED_SECONDS = 10  # without a byte taken or given, while a thread answers
HEAD_BYTES = 64 * 1024  # more than the application, which refuses it, ever takes
BODY_BYTES = 3 * 1024 * 1024
WAITING_BYTES = 64 * 1024 * 1024  # of requests that have not arrived whole, in a process
AT_ONCE = 64 * 1024
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
# all who prove a secret share, whatever cookies they make up: it takes the processor
SIGNING_IN = b"POST /account/"
# What tells visitors apart: their cookies, else the address that a proxy names, else that of the
# connection.
VISITORS = [
    re.compile(rb"\r\n%b:([^\r]*)" % name, re.IGNORECASE)
    for name in (b"cookie", b"x-forwarded-for")
]


class Worker(ThreadWorker):
    """One process of the server."""

    def init_process(self) -> None:
        """Begin with nobody."""
        self.share = max(1, int(self.cfg.threads * SHARE))
        self.busy: Counter[bytes] = Counter()
        self.waiting: defaultdict[bytes, deque[TConn]] = defaultdict(deque)
        self.partial: Counter[TConn] = Counter()
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Take what has arrived on a connection; if it is a whole request, let it have a thread."""
        try:
            arrived, ended = _read(conn)
        except OSError:
            arrived = b""
            ended = True
        if conn.is_closing:
            conn.parser.unreader.take_buffered()
        elif _is_whole(arrived):
            self.partial.pop(conn, None)
            conn.sock.setblocking(True)
            conn.data_ready = True
            conn.begun = None
            conn.visitor = _visitor(arrived, conn)
            self.waiting[conn.visitor].append(conn)
            self._begin(conn.visitor)
            return
        else:
            self.partial[conn] = len(arrived)
        if ended or self.partial.total() > WAITING_BYTES:
            self._drop(conn)
        else:
            self._wait(conn)

    def _begin(self, visitor: bytes) -> None:
        """Give threads to what a visitor waits for, up to a fair share."""
        while self.waiting[visitor] and self.busy[visitor] < self.share:
            self.busy[visitor] += 1
            super().enqueue_req(self.waiting[visitor].popleft())
        if not self.waiting[visitor]:
            del self.waiting[visitor]
        if not self.busy[visitor]:
            del self.busy[visitor]

    def finish_request(self, conn: TConn, done: "Future[Any]") -> None:
        """Let the visitor's next request begin; a connection that is to end is closed without waiting for it here."""
        self.busy[conn.visitor] -= 1
        self._begin(conn.visitor)
        if not done.cancelled() and not done.exception() and done.result():
            super().finish_request(conn, done)
            return
        # What is written last would be lost where the other end still sends: it closes first, or
        # its time is over.
        conn.is_closing = True
        conn.begun = None
        with suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)
        self._wait(conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Wait for no body that nobody wanted: the connection ends instead."""
        return keepalive and bool(
            conn.parser.finish_body(deadline=time.monotonic() + UNWANTED_SECONDS)
        )

    def _wait(self, conn: TConn) -> None:
        """Look again when more arrives, until its time is over."""
        conn.begun = conn.begun or time.monotonic()
        conn.timeout = conn.begun + (CLOSING_SECONDS if conn.is_closing else WHOLE_SECONDS)
        self.pending_conns.append(conn)
        conn.sock.setblocking(False)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
        )

    def _drop(self, conn: TConn) -> None:
        self.partial.pop(conn, None)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Close what did not arrive, or end, in its time; where the server stops, what has not begun to arrive too."""
        now = time.monotonic()
        for conn in list(self.pending_conns):
            if conn.timeout <= now or not (self.alive or self.partial[conn]):
                self.pending_conns.remove(conn)
                self.poller.unregister(conn.sock)
                self._drop(conn)


def _read(conn: TConn) -> tuple[bytes, bool]:
    """All that has arrived and was not taken, which stays with the parser; and whether the other end has closed."""
    if not conn.initialized:
        conn.init()
        conn.is_closing = False
        conn.begun = None
        stalled = struct.pack("ll", STALLED_SECONDS, 0)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            conn.sock.setsockopt(socket.SOL_SOCKET, option, stalled)
    conn.sock.setblocking(False)
    arrived = bytearray(conn.parser.unreader.take_buffered())
    ended = False
    with suppress(BlockingIOError):
        while len(arrived) < HEAD_BYTES + BODY_BYTES and not ended:
            part = conn.sock.recv(AT_ONCE)
            arrived += part
            ended = not part
    conn.parser.unreader.unread(bytes(arrived))
    return bytes(arrived), ended


def _is_whole(arrived: bytes) -> bool:
    """Whether a request is there with all of its body, or is too large to be waited for: then it is refused."""
    end = arrived.find(b"\r\n\r\n") + 2
    if end < 2:
        return len(arrived) > HEAD_BYTES
    if found := LENGTH.search(arrived, 0, end):
        length = int(found[1])
        return length > BODY_BYTES or len(arrived) >= end + 2 + length
    return (
        not CHUNKED.search(arrived, 0, end)
        or arrived.endswith(b"\r\n0\r\n\r\n")
        or len(arrived) > BODY_BYTES
    )


def _visitor(arrived: bytes, conn: TConn) -> bytes:
    if arrived.startswith(SIGNING_IN):
        return SIGNING_IN
    head = arrived[: arrived.find(b"\r\n\r\n") + 2]
    found = next((match[1] for match in (one.search(head) for one in VISITORS) if match), None)
    return found or str(conn.client[:1]).encode()
