"""A patient's browser without a screen: it keeps cookies, sends CSRF tokens, follows redirects."""

from __future__ import annotations

import re
from functools import cached_property
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.builders import all_no, book

_NO = all_no()
# By question: what its page sends.
NO_TO_ALL: dict[str, dict[str, object]] = {
    question.id: {item.id: _NO[item.id] for item in question.page if item.id in _NO}
    for question in book().questions
}
SAMPLE = {
    "name": "Sample Patient",
    "birth_day": "12",
    "birth_month": "3",
    "birth_year": "1988",
    "visit": "V-1",
}


class Visitor:
    """One patient's browser."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    @cached_property
    def page(self) -> TestResponse:
        """The page that is open: the first one, until another one is opened."""
        return self.client.get("/", follow_redirects=True)

    @property
    def text(self) -> str:
        """The page's words, without markup."""
        return unescape(re.sub(r"<[^>]+>", " ", self.page.text))

    @property
    def path(self) -> str:
        """Where the browser is."""
        return self.page.request.path

    def get(self, path: str) -> TestResponse:
        """Open an address."""
        self.page = self.client.get(path, follow_redirects=True)
        return self.page

    def post(self, path: str, values: dict[str, object] | None = None) -> TestResponse:
        """Send a form with the token of the page that is open."""
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.page.text)
        sent = {**(values or {}), **({"csrf_token": token[1]} if token else {})}
        self.page = self.client.post(path, data=sent, follow_redirects=True)
        return self.page

    def begin(self, **about: str) -> None:
        """Start and say who answers."""
        self.get("/")
        self.post("/")
        self.post("/about-you", {**SAMPLE, **about})

    def answer(self, pages: dict[str, dict[str, object]]) -> None:
        """Answer question pages."""
        for question, values in pages.items():
            self.post(f"/questions/{question}", values)

    def fill_in(self, pages: dict[str, dict[str, object]] | None = None, **about: str) -> None:
        """Everything up to the check page; `pages` replace the answers "no"."""
        self.begin(**about)
        self.answer({**NO_TO_ALL, **(pages or {})})
        assert self.path == "/check", self.text

    def send(self) -> str:
        """Send the answers and return the reference."""
        self.post("/submit")
        assert self.path == "/done", self.text
        match = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", self.text)
        assert match is not None
        return match[0]
