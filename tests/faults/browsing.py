"""Browsers over plain HTTP that repeat each request that was not acknowledged."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from tests.faults.serving import Clinic
from tests.integration.visitor import NO_TO_ALL, SAMPLE

ANSWER_SECONDS = 45
PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
REFERENCE = re.compile(r'class="reference">([0-9A-Z]{4}-[0-9A-Z]{4})<')
REDIRECTS = (http.HTTPStatus.FOUND, http.HTTPStatus.SEE_OTHER)
SEEN = re.compile(r'name="seen" value="(\d+)"')

BETWEEN = 0.05  # seconds between two requests for a page
# the answers of a proxy whose connection broke
GONE = (http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.GATEWAY_TIMEOUT)
TRUSTED = ssl.create_default_context()

Fields = Mapping[str, object]


class Broken(Exception):
    """The connection ended before the whole answer came: the result of the request is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer of the server."""

    request: str
    status: int
    location: str
    html: str

    @property
    def text(self) -> str:
        """Return the words without markup."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.html)).split())

    def leading_to(self, *paths: str) -> Page:
        """Assert that this page redirects to one of these addresses, and return it."""
        assert self.status in REDIRECTS, (
            f"{self.request} was answered with {self.status}: {self.text}"
        )
        assert self.location in paths, f"{self.request} leads to {self.location}, not to {paths}"
        return self

    def shown(self) -> Page:
        """Assert that this is the requested page and no error page, and return it."""
        assert self.status == http.HTTPStatus.OK, (
            f"{self.request} was answered with {self.status}: {self.text}"
        )
        return self


class Browser:
    """Keeps cookies, sends tokens of forms, connects anew for each request, follows no redirect."""

    def __init__(self, url: str) -> None:
        scheme, _, self.address = url.partition("://")
        self.over_tls = scheme == "https"
        self.cookies: dict[str, str] = {}
        self.token = ""

    def get(self, path: str) -> Page:
        """Open an address. Raises Broken."""
        return self._ask("GET", path)

    def post(self, path: str, values: Fields | None = None) -> Page:
        """Send a form with the token of the last page that had one. Raises Broken."""
        return self._ask(
            "POST", path, urlencode({**(values or {}), "csrf_token": self.token}, doseq=True)
        )

    def surely(self, ask: Callable[[], Page]) -> Page:
        """Repeat the request until its whole answer has come, and return it."""
        while True:
            try:
                return ask()
            except Broken:
                continue

    def open(self, path: str) -> Page:
        """Return a page, requested again until its whole answer has come."""
        return self.surely(lambda: self.get(path)).shown()

    def asking(self, path: str, form: Mapping[str, str] | None = None) -> bytes:
        """Return the bytes of a request for `crowd`, with the cookies so far.

        It is a POST if there is a `form`.
        """
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        head = [f"Host: {self.address}", f"Cookie: {cookies}", "Connection: close"]
        body = ""
        if form is not None:
            body = urlencode({**form, "csrf_token": self.token})
            head += [
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(body)}",
            ]
        method = "GET" if form is None else "POST"
        return "\r\n".join([f"{method} {path} HTTP/1.1", *head, "", body]).encode()

    def waits(self, path: str, times: int) -> list[float]:
        """Return the seconds that a page takes, for each of `times` requests."""
        taken = []
        for _ in range(times):
            begun = time.perf_counter()
            self.get(path).shown()
            taken.append(time.perf_counter() - begun)
            time.sleep(BETWEEN)
        return taken

    def _connection(self) -> http.client.HTTPConnection:
        if self.over_tls:
            return http.client.HTTPSConnection(
                self.address, timeout=ANSWER_SECONDS, context=TRUSTED
            )
        return http.client.HTTPConnection(self.address, timeout=ANSWER_SECONDS)

    def _ask(self, method: str, path: str, body: str | None = None) -> Page:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(self._connection()) as connection:
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                html = answer.read().decode()
            except (ConnectionError, http.client.HTTPException) as err:
                raise Broken(f"{method} {path}") from err
        if answer.status in GONE:
            raise Broken(f"{method} {path}")
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies.update((name, cookie.value) for name, cookie in SimpleCookie(line).items())
        if match := TOKEN.search(html):
            self.token = match[1]
        request = f"{method} {path}"
        return Page(
            request=request,
            status=answer.status,
            location=answer.getheader("Location", ""),
            html=html,
        )


class Patient(Browser):
    """A browser that answers the questionnaire. Its `name` and `reaction` are unique."""

    def __init__(self, url: str, mark: str) -> None:
        super().__init__(url)
        self.name = f"Patient {mark}"
        self.reaction = f"Rash after {mark}"

    def begin(self) -> None:
        """Start a draft."""
        self.open("/")
        self.surely(lambda: self.post("/")).leading_to("/about-you")
        self.open(
            "/about-you"
        )  # its form is for this patient; that of the start page is for anyone

    def fill_in(self) -> None:
        """Fill in everything up to the check page.

        Each answer is acknowledged before the next one is sent.
        """
        self.begin()
        answers = {"hypersensitivity": "yes", "hypersensitivity_reaction": self.reaction}
        pages = [("about-you", {**SAMPLE, "name": self.name, "visit": f"V-{self.name}"})]
        pages += [
            (f"questions/{name}", values)
            for name, values in (NO_TO_ALL | {"hypersensitivity": answers}).items()
        ]
        following = [*(path for path, _ in pages[1:]), "check"]
        for (path, values), after in zip(pages, following, strict=True):
            # If the connection broke after a step was recorded, it is recorded again and leads on
            # in the same way.
            self.surely(lambda path=path, values=values: self.post(f"/{path}", values)).leading_to(
                f"/{after}", "/check"
            )

    def press_send(self) -> Page:
        """Send once. Raises Broken."""
        return self.post("/submit")

    def reference(self) -> str:
        """Return the reference on the page that acknowledges the sending."""
        page = self.open("/done")
        match = REFERENCE.search(page.html)
        assert match is not None, f"/done shows no reference: {page.text}"
        return match[1]

    def send(self) -> str:
        """Send again and again until the clinic acknowledges it, and return the reference."""
        self.surely(self.press_send).leading_to("/done")
        return self.reference()


class Prescriber(Browser):
    """A browser with a signed-in prescriber, or somebody with another role."""

    @classmethod
    def added_to(cls, clinic: Clinic, name: str = "dr", role: str = "prescriber") -> Prescriber:
        """Add a person, sign in and choose a password."""
        printed = clinic.flask("people", "add", name, "--role", role)
        match = re.search(r"password (\S+)", printed)
        assert match is not None, printed
        prescriber = cls(clinic.url)
        prescriber.sign_in(name, match[1])
        prescriber.open("/account/password")
        new = {"password": match[1], "new_password": PASSWORD, "new_password_confirm": PASSWORD}
        prescriber.post("/account/password", new).leading_to("/account/")
        return prescriber

    @classmethod
    def signed_in(cls, clinic: Clinic, name: str = "dr") -> Prescriber:
        """Sign the same person in with another browser."""
        prescriber = cls(clinic.url)
        prescriber.sign_in(name, PASSWORD)
        prescriber.open("/clinic/")
        return prescriber

    def sign_in(self, name: str, password: str) -> None:
        """Sign in on the sign-in page."""
        self.open("/account/sign-in")
        self.post("/account/sign-in", {"sign_in_name": name, "password": password}).leading_to(
            "/clinic/"
        )

    def screening(self, reference: str) -> Page:
        """Return the page of a screening."""
        return self.open(f"/clinic/screenings/{reference}")

    def clarify(self, reference: str, mark: str, *, seen: str) -> Page:
        """Record an answer to one question, having `seen` so many entries. Raises Broken."""
        values = {"infection": "no", "why": mark, "seen": seen}
        return self.post(f"/clinic/screenings/{reference}/clarify/infection", values)

    def decide(self, reference: str, mark: str, *, seen: str) -> Page:
        """Record a decision, having `seen` so many entries. Raises Broken."""
        values = {"decision": "do_not_start", "note": mark, "seen": seen}
        return self.post(f"/clinic/screenings/{reference}/review", values)


def wrong_sign_ins(url: str, visitors: int) -> list[bytes]:
    """Return one sign-in with unknown name and wrong password per visitor, for `crowd`."""
    requests = []
    for number in range(visitors):
        visitor = Browser(url)
        visitor.open("/account/sign-in")
        wrong = {"sign_in_name": f"nobody {number}", "password": "wrong"}
        requests.append(visitor.asking("/account/sign-in", wrong))
    return requests


def entries_seen(page: Page) -> str:
    """Return the number of entries that a page of the clinic shows, from its form."""
    match = SEEN.search(page.html)
    assert match is not None, page.text
    return match[1]
