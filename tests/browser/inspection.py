"""What must hold on every page in every state: structure.js, and no violation that axe knows of."""

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
    """The page has no fault in its structure. `error`: it must show errors; else it must not."""
    if error:
        # A browser takes `autofocus` into account with the first picture it draws, which may be
        # after loading.
        with suppress(WaitedTooLong):
            page.wait_for_selector(".error-summary:focus", timeout=FOCUS_MILLISECONDS)
    faults = page.evaluate(STRUCTURE, {"language": language, "error": error})
    assert not faults, "\n".join((page.url, *faults))


def assert_accessible(page: Page, *, language: str = "en", error: bool = False) -> None:
    """The page is well built, and axe reports nothing in the light or, of colours, in the dark colour scheme."""
    assert_well_built(page, language=language, error=error)
    page.emulate_media(color_scheme="light")
    found = {"light": AXE.run(page, options=LIGHT).response}
    page.emulate_media(color_scheme="dark")
    found["dark"] = page.evaluate("options => axe.run(options)", DARK)  # axe is in the page already
    page.emulate_media(color_scheme="light")
    faults = [
        f"{scheme}: {violation['id']}: {node['html'][:160]}"
        for scheme, result in found.items()
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert not faults, "\n".join((page.url, *faults))
