"""Scanners of others find nothing that is not listed here with a reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.browser.server import ROOT
from tests.faults.browsing import Browser, Patient, Prescriber
from tests.faults.serving import Server, served
from tests.integration.test_bad_requests import Forms
from tests.integration.test_security import ROLES, address, rules

pytestmark = pytest.mark.audit

# By bandit's rule: why what it reports stands. All else has its reason in the line, after
# a noqa with S in place of B: ruff has the same rules under that letter.
BANDIT = {
    "B404": "to import subprocess does nothing; each call of it is judged by itself (B603)",
    "B405": "to import ElementTree does nothing; each call of its parser is judged (B314)",
    "B406": "only escape() is imported from xml.sax.saxutils, which parses nothing",
}
# By what wapiti says: why it stands.
WAPITI = {
    "X-Frame-Options is not set": "frame-ancestors of the Content-Security-Policy takes its place",
    "X-XSS-Protection is not set": "browsers have removed what it was for",
    "Strict-Transport-Security is not set": "served without TLS here; set over TLS (test_security)",
    "Secure flag is not set in the cookie : session": "the same",
    "Secure flag is not set in the cookie : draft": "the same",
}
# Those that ask servers elsewhere (ssrf, xxe, log4shell), load lists (nikto, wapp) or look for
# other programs are left out; csrf as well, which takes two equal answers for a missing check
# (test_security tries every route without a token).
MODULES = (
    "backup,cookieflags,crlf,csp,exec,file,htaccess,http_headers,methods,permanentxss,"
    "redirect,shellshock,sql,xss"
)
# Debian's wapiti cannot exclude an address under Python 3.11, which wants flags of a pattern first.
WAPITI_MENDED = """
import re
from wapitiCore.net import crawler
crawler.wildcard_translate = lambda pattern: re.compile(re.escape(pattern) + r"\\Z")
from wapitiCore.main.wapiti import wapiti_main
wapiti_main()
"""
CRAWL_SECONDS = 30
MODULE_SECONDS = 12
SQLMAP_SECONDS = 400
WHO = ["patient", *ROLES]
ENDING = {"security.logout", "account.end_sign_in", "patient.finish", "patient.delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server of its own, and the browser of somebody on it."""

    server: Server
    browser: Browser
    reference: str

    @property
    def cookie(self) -> str:
        """Return the header that this browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())

    def is_still_well(self) -> None:
        """Assert that nothing has failed within the server, and that patients can send."""
        patient = Patient(self.server.url, "after")
        patient.fill_in()
        patient.send()
        assert self.server.faults() == []


@pytest.fixture(params=WHO)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """Somebody of each kind, on a server with one screening."""
    with served(tmp_path) as server:
        patient = Patient(server.url, "before")
        patient.fill_in()
        reference = patient.send()
        browser: Browser
        if request.param == "patient":
            browser = Patient(server.url, "during")
            browser.fill_in()
        else:
            browser = Prescriber.added_to(server, request.param, request.param)
        yield Target(server=server, browser=browser, reference=reference)


def scanner(name: str) -> str:
    """Return the path of a program from Debian, which the Makefile installs."""
    found = shutil.which(name)
    assert found, f"{name} is missing; run: apt-get install {name}"
    return found


def test_bandit_finds_no_weakness_in_our_code() -> None:
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-f", "json"]
    sources = ["screening", "worker.py", "wsgi.py", "gunicorn.conf.py"]
    ended = subprocess.run(
        [*command, *sources], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    report = json.loads(ended.stdout)
    assert report["errors"] == []
    assert len(report["metrics"]) > 100, "it has read the files"
    lines = [
        f"{result['test_id']} {result['filename']}:{result['line_number']} {result['issue_text']}"
        for result in report["results"]
        if result["test_id"] not in BANDIT
        and f"# noqa: {result['test_id'].replace('B', 'S')}" not in result["code"]
    ]
    assert lines == []
    found = {result["test_id"] for result in report["results"]}
    assert set(BANDIT) <= found, "reasons for what is not reported any more"


def test_no_advisory_is_known_of_what_is_shipped() -> None:
    """Ask for one package first: without a source nothing is checked, and the test says so."""
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    if not _advisories(re.search(r"^flask==\S+", pinned, re.MULTILINE)[0]):  # type: ignore[index]
        pytest.skip("no source of advisories is reachable: not checked")
    known = _advisories(pinned)
    unchecked = [part["name"] for part in known if "skip_reason" in part]
    assert unchecked == [], "not checked"
    assert {part["name"]: part["vulns"] for part in known if part["vulns"]} == {}


def _advisories(requirements: str) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package; nothing where it knows of none of them."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--format", "json"]
    ended = subprocess.run(
        [*command, "--progress-spinner", "off", "--requirement", "/dev/stdin"],
        input=requirements,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    try:
        known: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except json.JSONDecodeError:  # it could not even ask
        return []
    return known if any("skip_reason" not in part for part in known) else []


def test_wapiti_finds_nothing(target: Target, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    url = target.server.url
    scanner("wapiti")
    command = [
        "/usr/bin/python3",
        "-c",
        WAPITI_MENDED,
        "-u",
        f"{url}/",
        "--scope",
        "domain",
        "-m",
        MODULES,
    ]
    command += ["-H", f"Cookie: {target.cookie}", "-f", "json", "-o", str(report), "-v", "1"]
    command += ["--max-scan-time", str(CRAWL_SECONDS), "--max-attack-time", str(MODULE_SECONDS)]
    command += ["--no-bugreport", "--flush-session", "--store-session", str(tmp_path / "session")]
    for ending in ("/account/sign-out", "/finish", "/delete", "/admin/people/admin"):
        command += ["-x", f"{url}{ending}"]
    start = ["/clinic/", "/admin/people", "/about-you", "/check"]
    for path in start:
        command += ["-s", f"{url}{path}"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(report.read_text(encoding="utf-8"))
    pages = re.search(r"found (\d+) URLs and forms", ended.stdout)
    assert pages, ended.stdout
    assert int(pages[1]) > 10, "it has found its way in"
    found = [
        f"{kind}: {fault['info']} at {fault['method']} {fault['path']} {fault['parameter']}"
        for group in ("vulnerabilities", "anomalies")
        for kind, faults in told[group].items()
        for fault in faults
        if fault["info"] not in WAPITI
    ]
    assert found == []
    target.is_still_well()


def test_sqlmap_injects_into_no_form(target: Target, sqlite_app: Flask, tmp_path: Path) -> None:
    requests = forms(target, sqlite_app)
    assert len(requests) > 3
    log = tmp_path / "requests.log"
    rule = "=" * 54
    log.write_text(
        "".join(
            f"{rule}\n12:00:00  {target.server.url}\n{rule}\n{one}\n{rule}\n\n\n"
            for one in requests
        )
    )
    results = tmp_path / "results.csv"
    command = [
        scanner("sqlmap"),
        "-l",
        str(log),
        "--batch",
        "--dbms",
        "SQLite",
        "--flush-session",
        "--ignore-stdin",
    ]
    command += ["--technique", "BEUSQ", "--param-exclude", "csrf_token", "--keep-alive"]
    command += ["--ignore-code", "401", "--output-dir", str(tmp_path / "sqlmap")]
    command += ["--results-file", str(results), "--disable-coloring"]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SQLMAP_SECONDS,
        check=True,
    )
    tried = ended.stdout.count("does not seem to be injectable")
    assert tried >= len(requests), ended.stdout
    assert "injection point" not in ended.stdout, ended.stdout
    target.is_still_well()


def forms(target: Target, app: Flask) -> list[str]:
    """Return each form that this browser is shown, filled in, as a whole request."""
    found: dict[str, str] = {}
    places = {address(rule, target.reference): rule for rule in rules(app)}
    ending = {path for path, rule in places.items() if rule.endpoint in ENDING}
    for path in places.keys() - ending:
        if "GET" not in (places[path].methods or ()) or path.endswith((".pdf", ".css")):
            continue
        page = target.browser.get(path)
        for action, said in Forms(page.html, path).found:
            if action in ending:
                continue
            body = urlencode({**said, "csrf_token": target.browser.token})
            lines = [
                f"POST {action} HTTP/1.1",
                f"Host: {target.server.address}",
                f"Cookie: {target.cookie}",
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(body)}",
            ]
            found[f"{action} {sorted(said)}"] = "\n".join([*lines, "", body])
    return list(found.values())
