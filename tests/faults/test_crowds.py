"""Whatever one visitor does with many connections, the pages of all other patients come at once."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.faults.browsing import Browser, Patient
from tests.faults.crowd import crowd
from tests.faults.serving import served

SIGN_INS = 40  # connections
LOOKS, BETWEEN = 60, 0.05  # seconds
AT_MOST = 0.5  # seconds that 95 of 100 pages of a patient may take


def asking(browser: Browser, path: str, form: dict[str, str] | None = None) -> bytes:
    """A request as this browser sends it, with its cookies."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    head = [f"Host: {browser.address}", f"Cookie: {cookies}", "Connection: close"]
    body = ""
    if form is not None:
        body = urlencode({**form, "csrf_token": browser.token})
        head += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    method = "GET" if form is None else "POST"
    return "\r\n".join([f"{method} {path} HTTP/1.1", *head, "", body]).encode()


def slowest_but_few(patient: Patient) -> float:
    """How long the pages of this patient take, 95 of 100 of them at most."""
    taken = []
    for _ in range(LOOKS):
        begun = time.perf_counter()
        patient.get("/questions/pregnancy").shown()
        taken.append(time.perf_counter() - begun)
        time.sleep(BETWEEN)
    return sorted(taken)[round(0.95 * (len(taken) - 1))]


@pytest.mark.audit
@pytest.mark.parametrize("connections", [60, 400])
@pytest.mark.parametrize("path", ["/copy.pdf", "/paper/form/en.pdf", "/check"])
def test_many_connections_of_one_visitor(tmp_path: Path, connections: int, path: str) -> None:
    with served(tmp_path, prints=True) as server:
        patient, visitor = Patient(server.url, "patient"), Patient(server.url, "crowd")
        patient.fill_in()
        visitor.fill_in()
        if path == "/copy.pdf":
            visitor.send()
        with crowd(server.address, connections, [asking(visitor, path)]) as answers:
            assert slowest_but_few(patient) <= AT_MOST
        assert answers.keys() <= {"200", "503"}
        assert path != "/check" or answers["200"] == answers.total()


@pytest.mark.audit
@pytest.mark.parametrize("visitors", [1, 40])
def test_many_who_sign_in_wrongly(tmp_path: Path, visitors: int) -> None:
    """Before they are refused by their address, and afterwards."""
    with served(tmp_path, prints=True) as server:
        patient = Patient(server.url, "patient")
        patient.fill_in()
        requests = []
        for number in range(visitors):
            visitor = Browser(server.url)
            visitor.open("/account/sign-in")
            wrong = {"sign_in_name": f"nobody {number}", "password": "wrong"}
            requests.append(asking(visitor, "/account/sign-in", wrong))
        with crowd(server.address, SIGN_INS, requests) as answers:
            assert slowest_but_few(patient) <= AT_MOST
        assert answers.keys() == {"200"}
