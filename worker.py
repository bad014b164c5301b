"""The gunicorn worker: gthread, but only complete requests get threads, in fair shares.

gthread assigns a thread to each connection. A client that sends half of a request occupies it for
ever, a client that does not close its end of a connection blocks all others for two seconds, and a
single visitor with many connections occupies all threads. In this worker the main loop reads
requests, a visitor gets at most SHARE of the threads of a process, and further requests of the same
visitor wait. See docs/decisions/0029.

A process with a stuck thread logs where each thread is, answers its other requests and ends; the
master starts another. See docs/decisions/0044.
"""

import faulthandler
import logging
import os
import re
import selectors
import socket
import struct
import threading
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.http import errors
from gunicorn.util import write_error
from gunicorn.workers.gthread import TConn, ThreadWorker

SHARE = 0.5  # of the threads
WHOLE_SECONDS = 20  # for a request to arrive completely
CLOSING_SECONDS = 2  # for the client to close a connection
UNWANTED_SECONDS = 0.1  # for the rest of a body that the application did not read
STALLED_SECONDS = 10  # without a byte received or sent, while a thread answers
HEAD_BYTES = 64 * 1024  # above the limit at which the application refuses
BODY_BYTES = 3 * 1024 * 1024
WAITING_BYTES = 64 * 1024 * 1024  # of incomplete requests, in a process
# Seconds for a request, or for the next part of its answer. Then its connection is closed: that
# frees a thread whose client is slow.
ANSWER_SECONDS = 55
STUCK_SECONDS = 60  # for the same; then its thread is stuck, and the process is replaced
AT_ONCE = 64 * 1024  # bytes
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
REFUSAL = (400, "Bad Request")
REFUSALS: dict[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
}
FAULT = (500, "Internal Server Error")
OUR_FAULTS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
# All sign-ins count as the same visitor, regardless of cookies: hashing a password is expensive.
SIGNING_IN = b"POST /account/"
# Visitors are distinguished by their cookies, else by the address from a proxy, else by that of the
# connection.
VISITORS = [
    re.compile(rb"\r\n%b:([^\r]*)" % name, re.IGNORECASE)
    for name in (b"cookie", b"x-forwarded-for")
]


class Connection(socket.socket):
    """A connection that knows since when the client has been waiting for a part of the answer."""

    def sendall(self, *given: Any) -> None:
        """Send a part of the answer."""
        self.since = time.monotonic()
        super().sendall(*given)


class Worker(ThreadWorker):
    """A process of the server."""

    def init_process(self) -> None:
        """Begin without visitors."""
        self.share = max(1, int(self.cfg.threads * SHARE))
        self.busy: Counter[bytes] = Counter()
        self.waiting: defaultdict[bytes, deque[TConn]] = defaultdict(deque)
        self.partial: Counter[TConn] = Counter()
        self.answering: set[TConn] = set()
        self.has_stuck_thread = False
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, unless the master has done so, and start its background work."""
        super().load_wsgi()
        from screening import background  # loaded by wsgi.py, which starts faster that way

        background.start(self.wsgi)
        self.background_fault = partial(background.fault, self.wsgi.extensions["screening"])

    def run(self) -> None:
        """Serve until told to stop, or until a thread is stuck."""
        faulthandler.enable()  # for the SIGABRT that gunicorn sends where this loop is stuck
        super().run()
        if self.has_stuck_thread:
            os._exit(1)  # the interpreter would wait for that thread

    def notify(self) -> None:
        """Tell the master that the main loop runs; stop where another thread is stuck."""
        super().notify()
        now = time.monotonic()
        if self.alive and (fault := self._stuck_requests(now) or self.background_fault(now=now)):
            self.log.error("%s; this process is replaced. Its threads are at:", fault)
            faulthandler.dump_traceback()  # files, lines and functions, no values
            self.has_stuck_thread = True
            self.alive = False

    def _stuck_requests(self, now: float) -> str:
        """Close the connections of slow requests; return which threads are stuck, or ""."""
        faults = []
        for conn in list(self.answering):
            if now - conn.sock.since > ANSWER_SECONDS:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)
            if now - conn.sock.since > STUCK_SECONDS:
                self.nr_conns -= 1  # the stopping process does not wait for it
                conn.is_stuck = True
                faults.append(f"the request in thread {conn.thread:#018x} is stuck")
        return ", ".join(faults)

    def handle(self, conn: TConn) -> Any:
        """Answer a request, in a thread."""
        conn.sock.since = time.monotonic()
        conn.is_stuck = False
        conn.thread = threading.get_ident()
        self.answering.add(conn)
        try:
            return super().handle(conn)
        finally:
            self.answering.discard(conn)

    def enqueue_req(self, conn: TConn) -> None:
        """Read the bytes that have arrived on a connection; queue a complete request."""
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
        """Assign threads to the waiting requests of a visitor, up to the visitor's share."""
        while self.waiting[visitor] and self.busy[visitor] < self.share:
            self.busy[visitor] += 1
            super().enqueue_req(self.waiting[visitor].popleft())
        if not self.waiting[visitor]:
            del self.waiting[visitor]
        if not self.busy[visitor]:
            del self.busy[visitor]

    def finish_request(self, conn: TConn, done: "Future[Any]") -> None:
        """Begin the visitor's next request; let a finished connection close without blocking."""
        self.busy[conn.visitor] -= 1
        self._begin(conn.visitor)
        if conn.is_stuck:  # no longer; it is not counted any more
            conn.close()
            return
        if not done.cancelled() and not done.exception() and done.result():
            super().finish_request(conn, done)
            return
        # Closing while the client still sends would lose the end of the answer: wait until the
        # client closes, or for CLOSING_SECONDS.
        conn.is_closing = True
        conn.begun = None
        with suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)
        self._wait(conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Keep a connection only if the unread rest of a body arrives in UNWANTED_SECONDS."""
        return keepalive and bool(
            conn.parser.finish_body(deadline=time.monotonic() + UNWANTED_SECONDS)
        )

    def _wait(self, conn: TConn) -> None:
        """Read again when more bytes arrive, until the timeout."""
        conn.begun = conn.begun or time.monotonic()
        conn.timeout = conn.begun + (CLOSING_SECONDS if conn.is_closing else WHOLE_SECONDS)
        self.pending_conns.append(conn)
        conn.sock.setblocking(False)
        on_readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, on_readable)

    def _drop(self, conn: TConn) -> None:
        self.partial.pop(conn, None)
        self.nr_conns -= 1
        conn.close()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that cannot be read.

        The log gets the class of the exception alone: its words, and gunicorn's own, quote the
        request, which may hold answers or the token of a link.
        """
        is_ours = not isinstance(exc, errors.ParseException) or isinstance(exc, OUR_FAULTS)
        status, reason = FAULT if is_ours else REFUSALS.get(type(exc), REFUSAL)
        level = logging.ERROR if is_ours else logging.WARNING
        self.log.log(level, "%s: %s", reason, type(exc).__name__)
        with suppress(OSError):
            write_error(client, status, reason, "")

    def murder_pending(self) -> None:
        """Close connections that timed out and, when the server stops, those without a request."""
        now = time.monotonic()
        for conn in list(self.pending_conns):
            if conn.timeout <= now or not (self.alive or self.partial[conn]):
                self.pending_conns.remove(conn)
                self.poller.unregister(conn.sock)
                self._drop(conn)


def _read(conn: TConn) -> tuple[bytes, bool]:
    """Return the unparsed bytes, which stay in the parser, and whether the client has closed."""
    if not conn.initialized:
        conn.sock = Connection(fileno=conn.sock.detach())
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
    """Return whether a request is complete, or too large: the application refuses a large one."""
    end = arrived.find(b"\r\n\r\n") + 2
    if end < 2:
        return len(arrived) > HEAD_BYTES
    if match := LENGTH.search(arrived, 0, end):
        length = int(match[1])
        return length > BODY_BYTES or len(arrived) >= end + 2 + length
    if not CHUNKED.search(arrived, 0, end):
        return True
    return arrived.endswith(b"\r\n0\r\n\r\n") or len(arrived) > BODY_BYTES


def _visitor(arrived: bytes, conn: TConn) -> bytes:
    if arrived.startswith(SIGNING_IN):
        return SIGNING_IN
    head = arrived[: arrived.find(b"\r\n\r\n") + 2]
    matches = (pattern.search(head) for pattern in VISITORS)
    visitor = next((match[1] for match in matches if match), None)
    return visitor or str(conn.client[:1]).encode()
