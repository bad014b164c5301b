"""Conditions for every page in every state: structure.js, and no violation that axe detects."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as WaitedTooLong

STRUCTURE = Path(__file__).with_name("structure.js").read_text(encoding="utf-8")
AXE = Axe()
LIGHT = {"resultTypes": ["violations"]}
DARK = {**LIGHT, "runOnly": ["color-contrast"]}  # nothing else depends on the scheme
FOCUS_MILLISECONDS = 5000


def assert_well_built(page: Page, *, language: str = "en", error: bool = False) -> None:
    """Assert that the page has no fault in its structure, and shows errors only if `error`."""
    if error:
        # A browser takes `autofocus` into account with the first picture it draws, which may be
        # after loading.
        with suppress(WaitedTooLong):
            page.wait_for_selector(".error-summary:focus", timeout=FOCUS_MILLISECONDS)
    faults = page.evaluate(STRUCTURE, {"language": language, "error": error})
    assert not faults, "\n".join((page.url, *faults))


def assert_accessible(page: Page, *, language: str = "en", error: bool = False) -> None:
    """Assert that the page is well built, and that axe reports nothing.

    In the dark colour scheme axe checks only the colours.
    """
    assert_well_built(page, language=language, error=error)
    page.emulate_media(color_scheme="light")
    results = {"light": AXE.run(page, options=LIGHT).response}
    page.emulate_media(color_scheme="dark")
    results["dark"] = page.evaluate(
        "options => axe.run(options)", DARK
    )  # axe is in the page already
    page.emulate_media(color_scheme="light")
    faults = [
        f"{scheme}: {violation['id']}: {node['html'][:160]}"
        for scheme, result in results.items()
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert not faults, "\n".join((page.url, *faults))
