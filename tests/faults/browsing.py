"""Browsers over plain HTTP that know what to do when a connection breaks: what was not acknowledged is done again."""

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

BETWEEN = 0.05  # seconds between two looks at a page
# what a proxy says where a connection broke
GONE = (http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.GATEWAY_TIMEOUT)
TRUSTED = ssl.create_default_context()

Fields = Mapping[str, object]


class Broken(Exception):
    """The connection ended before the whole answer was there: nobody knows what became of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of the server."""

    asked: str
    status: int
    location: str
    html: str

    @property
    def text(self) -> str:
        """The words, without markup."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.html)).split())

    def leading_to(self, *paths: str) -> Page:
        """This page, which has to lead on to one of these addresses."""
        assert self.status in REDIRECTS, (
            f"{self.asked} was answered with {self.status}: {self.text}"
        )
        assert self.location in paths, f"{self.asked} leads to {self.location}, not to {paths}"
        return self

    def shown(self) -> Page:
        """This page, which has to be one that was asked for and not an error page."""
        assert self.status == http.HTTPStatus.OK, (
            f"{self.asked} was answered with {self.status}: {self.text}"
        )
        return self


class Browser:
    """Keeps cookies, sends the tokens of forms, opens a connection for each request, follows nothing by itself."""

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
        """Ask again until the answer comes whole."""
        while True:
            try:
                return ask()
            except Broken:
                continue

    def open(self, path: str) -> Page:
        """A page, however often it has to be asked for."""
        return self.surely(lambda: self.get(path)).shown()

    def asking(self, path: str, form: Mapping[str, str] | None = None) -> bytes:
        """The bytes that ask for a path, or send a form to it, with the cookies so far; for `crowd`."""
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
        """The seconds that a page takes, for each of so many looks."""
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
        if found := TOKEN.search(html):
            self.token = found[1]
        asked = f"{method} {path}"
        return Page(
            asked=asked, status=answer.status, location=answer.getheader("Location", ""), html=html
        )


class Patient(Browser):
    """Somebody who answers the questionnaire. `name` and `said` are found nowhere else."""

    def __init__(self, url: str, mark: str) -> None:
        super().__init__(url)
        self.name = f"Patient {mark}"
        self.said = f"Rash after {mark}"

    def begin(self) -> None:
        """Start: from here on there is a draft."""
        self.open("/")
        self.surely(lambda: self.post("/")).leading_to("/about-you")
        self.open("/about-you")  # its form is this patient's; that of the start was anybody's

    def fill_in(self) -> None:
        """Everything up to the check page.

        Each answer has to be acknowledged before the next one is given.
        """
        self.begin()
        said = {"hypersensitivity": "yes", "hypersensitivity_reaction": self.said}
        pages = [("about-you", {**SAMPLE, "name": self.name})]
        pages += [
            (f"questions/{name}", values)
            for name, values in (NO_TO_ALL | {"hypersensitivity": said}).items()
        ]
        following = [*(path for path, _ in pages[1:]), "check"]
        for (path, values), after in zip(pages, following, strict=True):
            # A step that was recorded before its connection broke is recorded again, and leads on
            # just the same.
            self.surely(lambda path=path, values=values: self.post(f"/{path}", values)).leading_to(
                f"/{after}", "/check"
            )

    def press_send(self) -> Page:
        """Send once. Raises Broken."""
        return self.post("/submit")

    def reference(self) -> str:
        """The reference on the page that acknowledges what was sent."""
        page = self.open("/done")
        found = REFERENCE.search(page.html)
        assert found is not None, f"/done shows no reference: {page.text}"
        return found[1]

    def send(self) -> str:
        """Send again and again until the clinic acknowledges it, and return the reference."""
        self.surely(self.press_send).leading_to("/done")
        return self.reference()


class Prescriber(Browser):
    """Somebody of the clinic who is signed in."""

    @classmethod
    def added_to(cls, clinic: Clinic, name: str = "dr") -> Prescriber:
        """A new person with a password of their own."""
        printed = clinic.flask("people", "add", name, "--role", "prescriber")
        found = re.search(r"password (\S+)", printed)
        assert found is not None, printed
        one = cls(clinic.url)
        one.sign_in(name, found[1])
        one.open("/account/password")
        new = {"password": found[1], "new_password": PASSWORD, "new_password_confirm": PASSWORD}
        one.post("/account/password", new).leading_to("/account/")
        return one

    @classmethod
    def signed_in(cls, clinic: Clinic, name: str = "dr") -> Prescriber:
        """The same person in another browser."""
        one = cls(clinic.url)
        one.sign_in(name, PASSWORD)
        one.open("/clinic/")
        return one

    def sign_in(self, name: str, password: str) -> None:
        """From the sign-in page."""
        self.open("/account/sign-in")
        self.post("/account/sign-in", {"sign_in_name": name, "password": password}).leading_to(
            "/clinic/"
        )

    def screening(self, reference: str) -> Page:
        """The page of a screening."""
        return self.open(f"/clinic/screenings/{reference}")

    def clarify(self, reference: str, mark: str, *, seen: str) -> Page:
        """Record what was established on one question, knowing of so many entries.

        Raises Broken.
        """
        values = {"infection": "no", "why": mark, "seen": seen}
        return self.post(f"/clinic/screenings/{reference}/clarify/infection", values)

    def decide(self, reference: str, mark: str, *, seen: str) -> Page:
        """Record a decision, knowing of so many entries. Raises Broken."""
        values = {"decision": "do_not_start", "note": mark, "seen": seen}
        return self.post(f"/clinic/screenings/{reference}/review", values)


def wrong_sign_ins(url: str, visitors: int) -> list[bytes]:
    """A sign-in with an unknown name and a wrong password for each of so many visitors; for `crowd`."""
    requests = []
    for number in range(visitors):
        visitor = Browser(url)
        visitor.open("/account/sign-in")
        wrong = {"sign_in_name": f"nobody {number}", "password": "wrong"}
        requests.append(visitor.asking("/account/sign-in", wrong))
    return requests


def entries_seen(page: Page) -> str:
    """How many entries a page of the clinic knows of."""
    found = SEEN.search(page.html)
    assert found is not None, page.text
    return found[1]
