"""Strategies for requests as no browser sends them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hypothesis import strategies as st

# In every part of a request that a log could quote. No page has this word.
MARK = "Qzmarkerq"

SAFE = "".join(map(chr, range(128)))

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A request by its bytes. `body` is what is sent after the headers, in chunks or not."""

    method: bytes
    target: bytes
    version: bytes
    headers: Headers
    body: bytes

    def __bytes__(self) -> bytes:
        lines = [b" ".join((self.method, self.target, self.version))]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join([*lines, b"", self.body])

    def environ(self) -> dict[str, Any]:
        """Return the request as a server hands it to the application: bytes as Latin-1.

        The target is in ASCII: gunicorn refuses another one.
        """
        (path, _, query) = quote_from_bytes(self.target, SAFE).partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method.decode("latin-1"),
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in self.headers:
            key = name.decode("latin-1").upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            said = value.decode("latin-1")
            environ[key] = f"{environ[key]},{said}" if key in environ else said
        return environ


METHODS = st.sampled_from(
    [b"GET", b"POST"] * 6
    + [b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"CONNECT", b"get"]
    + [b"G\0T", b"", b"POST" * 60, MARK.encode()]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            MARK.encode(),
            b"",
            b"yes",
            b"12",
            b"-1",
            b"9" * 30,
            b"1e999",
            b"x\0",
            b"\xff\xfe",
            b"\xc0\xaf",
            b"\xed\xa0\x80",  # half of a surrogate pair
            "\u202e\u200b\ufeff".encode(),
            b"x" * 5000,
            b"' OR '1'='1",
            b"{{7*7}}",
            b"../../etc/passwd",
            b"<script>",
            b"%",
            b"%zz",
            b"%00",
            b"\r\nX-Injected: 1",
        ]
    ),
    st.binary(max_size=12),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


def escaped(value: bytes) -> bytes:
    """Return bytes as a form sends them."""
    return b"".join(b"%%%02X" % byte for byte in value)


def names(fields: list[str]) -> st.SearchStrategy[bytes]:
    """Names of fields that there are, and others."""
    return st.one_of(st.sampled_from([name.encode() for name in fields]), VALUES)


def queries(fields: list[str]) -> st.SearchStrategy[bytes]:
    """Forms and queries: doubled fields, 1,000 of them, and what is no form."""
    escapes = st.sampled_from([escaped, lambda value: value])
    field = st.builds(
        lambda name, value, escape: escape(name) + b"=" + escape(value),
        names(fields),
        VALUES,
        escapes,
    )
    some = st.lists(field, max_size=6).map(b"&".join)
    return st.one_of(
        some,
        some,
        field.map(lambda one: b"&".join([one, one])),
        field.map(lambda one: b"&".join([one] * 1000)),
        st.integers(990, 1010).map(lambda n: b"&".join(b"a%d=1" % i for i in range(n))),
        st.binary(max_size=40),
    )


def multiparts(fields: list[str]) -> st.SearchStrategy[bytes]:
    """Bodies in parts: some whole, some without an end, with names and types that nobody sends."""
    part = st.builds(
        lambda name, value, more: (
            b'Content-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value
        ),
        names(fields),
        VALUES,
        st.sampled_from(
            [
                b"",
                b'; filename="x.pdf"\r\nContent-Type: application/pdf',
                b'; filename="x\0"\r\nContent-Type: \xff',
                b"; filename*=utf-8''%ff\r\nContent-Transfer-Encoding: base64",
                b"\r\nX: " + b"y" * 3000,
                b"\r\n",
            ]
        ),
    )
    return st.builds(
        lambda parts, end: b"--b\r\n" + b"\r\n--b\r\n".join(parts) + end,
        st.lists(part, max_size=4),
        st.sampled_from([b"\r\n--b--\r\n", b"\r\n--b", b"", b"\r\n--c--\r\n"]),
    )


TYPES = st.sampled_from(
    [
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=b",
        b"multipart/form-data",
        b"multipart/form-data; boundary=" + b"b" * 300,
        b"multipart/form-data; boundary=\xff",
        b"application/x-www-form-urlencoded; charset=utf-16",
        b"application/x-www-form-urlencoded; charset=" + MARK.encode(),
        b"application/json",
        b"text/xml",
        b"",
        b"/;;=",
    ]
)
ODD_HEADERS = st.one_of(
    st.tuples(
        st.sampled_from(
            b"Accept Accept-Language Accept-Encoding Authorization Cookie Expect If-None-Match "
            b"If-Modified-Since Origin Range Referer User-Agent X-Forwarded-For X-Forwarded-Proto "
            b"X-Forwarded-Host X-HTTP-Method-Override Upgrade Host X-CSRFToken Forwarded".split()
        ),
        st.one_of(
            VALUES.map(lambda value: value.replace(b"\r\n", b" ")),
            st.sampled_from(
                [
                    b"bytes=0-0,-1,99999999999999999999-",
                    b"100-continue",
                    b"es;q=nan,en;q=-1,*;q=" + b"9" * 400,
                    b"session=" + b"x" * 6000,
                    b"=;;=" * 400,
                    b"session=.eJw; session=" + MARK.encode(),
                    b"draft=" + MARK.encode(),
                    b"Fri, 99 Foo 99999 99:99:99 GMT",
                    b"h2c",
                ]
            ),
        ),
    ),
    st.sampled_from(
        [
            (MARK.encode() + b"\0", b"x"),
            (MARK.encode() + b" ", b"x"),
            (b"", MARK.encode()),
            (b"X-Folded", b"one\r\n " + MARK.encode()),
            (b"X", b"y" * 9000),
        ]
    ),
)


def chunked(body: bytes, fault: int) -> bytes:
    """Return a body in chunks, right (0) or broken in one of many ways."""
    size = b"%x" % len(body)
    mark = MARK.encode()
    ways = [
        size + b"\r\n" + body + b"\r\n0\r\n\r\n" if body else b"0\r\n\r\n",
        size + b"\r\n" + body + b"\r\n",
        size + b"\r\n" + body + b"0\r\n\r\n",
        b"-1\r\n" + body + b"\r\n0\r\n\r\n",
        b"+" + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
        b"0x" + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
        mark + b"\r\n" + body + b"\r\n0\r\n\r\n",
        b"f" * 40 + b"\r\n" + body + b"\r\n0\r\n\r\n",
        size + b";" + mark + b"=1\r\n" + body + b"\r\n0\r\n\r\n",
        size + b";" + b"y" * 9000 + b"\r\n" + body + b"\r\n0\r\n\r\n",
        size + b"\n" + body + b"\n0\n\n",
        b"%x" % (len(body) + 7) + b"\r\n" + body + b"\r\n0\r\n\r\n",
        size + b"\r\n" + body + b"\r\n0\r\nX-Trailer: " + mark + b"\r\n\r\n",
        size + b"\r\n" + body + b"\r\n0\r\n" + mark + b"\r\n\r\n",
        b"\r\n\r\n0\r\n\r\n",
        b"1\r\nx\r\n" * 300 + b"0\r\n\r\n",
    ]
    return ways[fault % len(ways)]


FAULTY_CHUNKS = 16


@st.composite
def requests(
    draw: st.DrawFn, *, host: str, paths: list[str], fields: list[str], cookie: str, token: str
) -> Raw:
    """Requests to these addresses, some of them nearly right and with this cookie and token."""
    some = st.integers(0, 9)
    target = draw(st.sampled_from(paths)).encode()
    mutate = draw(some)
    if mutate == 0:
        target += draw(VALUES.map(lambda value: value.translate(None, b" \r\n")))
    elif mutate == 1:
        target = draw(
            st.sampled_from(
                [
                    b"/" + b"a" * 9000,
                    b"/" + b"a/" * 2000,
                    b"*",
                    b"",
                    b"//" + MARK.encode() + b".example/",
                    b"http://" + MARK.encode() + b".example/clinic/",
                    b"/static/..%2f..%2fwsgi.py",
                    b"/clinic/%2e%2e/admin/people",
                    b"/" + MARK.encode() + b"\t",
                    b"/\xff\xfe",
                    b"/%",
                    b"/%ff%00",
                    b"/;a=b",
                    b"/?" + b"&".join([b"q=" + MARK.encode()] * 1000),
                    b"?",
                ]
            )
        )
    if draw(some) < 4:
        target += b"?" + draw(queries(fields)).translate(None, b" \r\n")
    headers: Headers = [(b"Host", host.encode())]
    if cookie and draw(some) < 9:
        headers.append((b"Cookie", cookie.encode()))
    body = b""
    if draw(some) < 7:
        kind = draw(TYPES)
        body = draw(multiparts(fields) if b"multipart" in kind else queries(fields))
        if token and draw(some) < 8:
            given = f"csrf_token={token}".encode()
            body = given + b"&" + body if b"multipart" not in kind else body
            headers.append((b"X-CSRFToken", token.encode()))
        headers.append((b"Content-Type", kind))
        coding = draw(some)
        if coding < 3:
            body = chunked(body, draw(st.integers(0, FAULTY_CHUNKS - 1)))
            headers.append((b"Transfer-Encoding", b"chunked"))
            if draw(some) == 0:
                headers.append((b"Content-Length", b"3"))
        elif coding < 4:
            coded = draw(
                st.sampled_from([b"gzip, chunked", b"chunked, chunked", b"xchunked", b"identity"])
            )
            headers.append((b"Transfer-Encoding", coded))
        elif coding < 9:
            headers.append((b"Content-Length", b"%d" % len(body)))
        else:
            lengths = [b"-1", b"+5", b"0x10", b"9" * 30, b"1_0", b"", b"5, 5", b"0", b"1"]
            headers.append((b"Content-Length", draw(st.sampled_from(lengths))))
            if draw(some) < 3:
                headers.append((b"Content-Length", b"7"))
    headers += draw(st.lists(ODD_HEADERS, max_size=2))
    if draw(some) == 0:
        headers.append(draw(st.sampled_from(headers)))
    if draw(some) == 0:
        headers += [(b"X-%d" % number, MARK.encode()) for number in range(120)]
    version = draw(
        st.sampled_from(
            [b"HTTP/1.1"] * 12 + [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"", MARK.encode()]
        )
    )
    return Raw(method=draw(METHODS), target=target, version=version, headers=headers, body=body)
