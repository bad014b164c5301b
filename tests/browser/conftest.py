"""A server and a browser for each test process; a new, watched visitor for each test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Page,
    Request,
    Response,
)

from tests.browser.journey import OpenPage
from tests.browser.server import SHELL, LiveServer, launch_options, serve

# The browser itself reports a page with a 4xx status, such as our error pages.
STATUS_LINE = re.compile(
    r"Failed to load resource: the server responded with a status of (?:4\d\d|503)"
)
SERVER_FAULT = re.compile(r"\[(?:ERROR|CRITICAL)\]|Traceback|incident")
PHONE = {"width": 320, "height": 640}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Serve the application."""
    with serve(tmp_path_factory.mktemp("served")) as live:
        yield live


@pytest.fixture(scope="session")
def browser_type_launch_args(pytestconfig: pytest.Config) -> dict[str, Any]:
    """Launch Debian's Chromium; without it a test fails and is not skipped.

    `--headed` shows its window.
    """
    if pytestconfig.getoption("--headed"):
        return launch_options() | {"headless": False, "slow_mo": pytestconfig.getoption("--slowmo")}
    return launch_options(SHELL)


@pytest.fixture(scope="session")
def whole_browser(browser_type: BrowserType) -> Iterator[Browser]:
    """Launch Chromium with all its parts, such as the memory of pages for Back.

    Test files in which these may matter use it as their `browser`.
    """
    browser = browser_type.launch(**launch_options())
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser_context_args(server: LiveServer) -> dict[str, Any]:
    """Set the address that a visitor's paths are relative to."""
    return {"base_url": server.url}


@pytest.fixture
def open_page(new_context: Callable[..., BrowserContext], server: LiveServer) -> Iterator[OpenPage]:
    """Yield a function that opens a page for a new visitor of the application."""
    with visits(new_context, server) as opened:
        yield opened


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Open a page for a new visitor."""
    return open_page()


@contextmanager
def visits(new_context: Callable[..., BrowserContext], server: LiveServer) -> Iterator[OpenPage]:
    """Yield a function that opens a page for a new visitor: narrow phone, English.

    Its arguments replace these. At the end nothing may have failed unseen by the visitor.
    """
    faults: list[str] = []
    printed = server.log.stat().st_size

    def opened(**context_args: Any) -> Page:
        context = new_context(**{"viewport": PHONE, "locale": "en-US"} | context_args)
        watch(context, server.url, faults)
        return context.new_page()

    yield opened
    log = server.log.read_bytes()[printed:].decode()
    faults += [f"server: {line}" for line in log.splitlines() if SERVER_FAULT.search(line)]
    assert faults == []


def watch(context: BrowserContext, origin: str, faults: list[str]) -> None:
    """Record console errors, blocked content, requests to other hosts and failed resources."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not STATUS_LINE.match(message.text):
            faults.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        if not request.url.startswith(f"{origin}/"):
            faults.append(f"request to elsewhere: {request.url}")

    def on_response(response: Response) -> None:
        is_page = response.request.resource_type == "document"
        expected = response.status < 400 or (
            is_page and (response.status < 500 or response.status == 503)
        )
        if not expected:
            faults.append(f"{response.status}: {response.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: faults.append(f"script: {error.error}"))
    context.on("request", on_request)
    context.on("response", on_response)
