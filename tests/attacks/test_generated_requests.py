"""Whatever arrives is answered, never with a fault of ours, and never written to the log."""

from __future__ import annotations

import logging
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import run_wsgi_app

from tests.attacks.generated import MARK, Raw, requests
from tests.faults.browsing import Browser, Patient, Prescriber
from tests.faults.serving import Server, served
from tests.integration.colleague import Colleague
from tests.integration.test_bad_requests import FIELDS, QUERIES
from tests.integration.test_security import address, rules
from tests.integration.visitor import Visitor

NOT_IMPLEMENTED = (
    501  # the answer of HTTP itself to a transfer coding that the server does not know
)
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
FAULT = re.compile(r"Traceback|incident|\[(?:ERROR|CRITICAL)\]")
QUICK = 100
SLOW = pytest.param(5_000, marks=pytest.mark.audit)
# A request to these ends the sign-in with which the others are sent.
ENDING = {"security.logout", "account.end_sign_in"}
FORM_FIELDS = [*FIELDS, *QUERIES, "name", "birth_year", "infection", "infection_symptoms", "why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Where requests go, and what is known of the browser that sends them."""

    host: str
    paths: list[str]
    cookie: str = ""
    token: str = ""

    @property
    def requests(self) -> st.SearchStrategy[Raw]:
        """Return the requests of this browser."""
        return requests(
            host=self.host,
            paths=self.paths,
            fields=FORM_FIELDS,
            cookie=self.cookie,
            token=self.token,
        )


def paths(app: Flask, reference: str) -> list[str]:
    """Return the address of every route."""
    return [address(rule, reference) for rule in rules(app) if rule.endpoint not in ENDING]


def many(examples: int) -> settings:
    """Return the settings for so many requests."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples == QUICK,  # the same ones each time; others are for `make audit`
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("examples", [QUICK, SLOW])
@pytest.mark.parametrize("who", ["patient", "prescriber"])
def test_the_application_answers_whatever_arrives(
    sqlite_app: Flask, caplog: pytest.LogCaptureFixture, who: str, examples: int
) -> None:
    caplog.set_level(logging.DEBUG)
    patient = Visitor(sqlite_app)
    patient.fill_in()
    reference = patient.send()
    browser = Colleague(sqlite_app) if who == "prescriber" else Visitor(sqlite_app)
    if who == "patient":
        browser.begin()
    browser.get("/clinic/" if who == "prescriber" else "/about-you")
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.page.text)
    assert token is not None
    cookies = "; ".join(
        f"{cookie.key}={cookie.value}" for cookie in browser.client._cookies.values()
    )
    sender = Sender(
        host="127.0.0.1:8000",
        # Werkzeug leaves the files of HEAD requests open until they are collected as garbage.
        paths=[path for path in paths(sqlite_app, reference) if "/css/" not in path],
        cookie=cookies,
        token=token[1],
    )
    seen: set[int] = set()

    @many(examples)
    @given(sender.requests)
    def answers(raw: Raw) -> None:
        caplog.clear()
        (_, line, _) = run_wsgi_app(sqlite_app, raw.environ(), buffered=True)
        status = int(line[:3])
        seen.add(status)
        assert status < 500
        assert MARK not in caplog.text

    answers()
    assert seen >= {200, 400, 404}, "requests come as far as the pages"
    if who == "prescriber":
        browser.get("/clinic/")
        assert browser.path == "/clinic/", "signed in to the end"
    Visitor(sqlite_app).fill_in()


@pytest.mark.audit
@pytest.mark.parametrize("who", ["patient", "prescriber"])
def test_the_server_answers_whatever_arrives(tmp_path: Path, sqlite_app: Flask, who: str) -> None:
    with served(tmp_path) as server:
        patient = Patient(server.url, "before")
        patient.fill_in()
        reference = patient.send()
        dr = Prescriber.added_to(server)
        browser: Browser = dr
        if who == "patient":
            browser = Patient(server.url, "during")
            browser.begin()
        sender = Sender(
            host=server.address,
            paths=paths(sqlite_app, reference),
            cookie="; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
            token=browser.token,
        )
        seen: set[int] = set()

        @many(5_000)
        @given(sender.requests)
        def answers(raw: Raw) -> None:
            for status in sent(server, bytes(raw)):
                seen.add(status)
                assert status < 500 or status == NOT_IMPLEMENTED

        answers()
        assert seen >= {200, 303, 400, 404, 405}, "requests come as far as the pages"
        assert "before" in dr.screening(reference).text
        after = Patient(server.url, "after")
        after.fill_in()
        after.send()
    assert not FAULT.search(server.printed)
    assert MARK not in server.printed


def sent(server: Server, request: bytes) -> list[int]:
    """Send these bytes, close this end, and return the status of each answer."""
    received = b""
    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    return [int(status) for status in STATUS.findall(received)]
