"""Draws docs/pictures: the form on a phone and the clinic's pages.

conformance/golden.py draws the pictures of summaries.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

# a script finds only the modules in its own folder
sys.path.insert(0, str(Path(__file__).parents[2]))

import journey
from server import ROOT, LiveServer, launch_options, serve

from tests.browser import colleague

PICTURES = ROOT / "docs" / "pictures"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1120, "height": 900}
COLOURS = 96  # more than black, white and a few accents with their soft edges need
PATIENT = journey.Person(
    name="Sample Patient", day="12", month="March", year="1988", visit="V-1024"
)
ANSWERS = {
    "pregnancy": "no",
    "pregnancy_planned": "yes",
    "breastfeeding": "no",
    "infection": "unsure",
    "infection_symptoms": ("chills", "aches"),
    "infection_since": "About 3 days ago",
    "hypersensitivity": "yes",
    "hypersensitivity_signs": ("rash_hives",),
    "hypersensitivity_reaction": "A rash on both arms, two weeks after I began, in 2019.",
    "iud": "no",
    "vaccines": "yes",
    "vaccines_which": "Flu",
    "vaccines_when": "Next month",
}
SIDE_BY_SIDE = """<!doctype html>
<style>
  body {
    margin: 0;
    padding: 24px;
    display: inline-flex;
    gap: 24px;
    align-items: start;
    background: #808890;
  }
  img { border-radius: 12px }
</style>
"""


def main() -> None:
    """Write the pictures and print their paths."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        serve(Path(folder)) as server,
    ):
        browser = playwright.chromium.launch(**launch_options())
        draw_form(browser, server, PICTURES / "form.png")
        draw_clinic(browser, server, PICTURES / "clinic.png")
        browser.close()


def draw_form(browser: Browser, server: LiveServer, picture: Path) -> None:
    """Draw four pages of the form on a phone, side by side."""
    phone = browser.new_context(
        base_url=server.url, viewport=PHONE, device_scale_factor=2, locale="en-US"
    )
    side_by_side(browser, form_pages(phone.new_page()), PHONE["width"], picture)


def draw_clinic(browser: Browser, server: LiveServer, picture: Path) -> None:
    """Draw the inbox and a screening on a desktop screen, side by side."""
    people = {
        "Amina Example": {"pregnancy": "no", "pregnancy_planned": "yes"},
        "Jonas Example": {"hypersensitivity": "unsure", "iud": "private"},
        "Mei Example": {
            "infection": "yes",
            "infection_symptoms": ["fever"],
            "infection_since": "Two days ago",
        },
    }
    for number, (name, answers) in enumerate(people.items()):
        reference = colleague.arrive(server, name=name, visit=f"V-{1025 + number}", **answers)
    desk = browser.new_context(
        base_url=server.url, viewport=DESK, device_scale_factor=1.5, locale="en-US"
    )
    cookie = colleague.kept_sign_in(server, "example", ("prescriber",))
    desk.add_cookies([{"name": "session", "value": cookie, "url": server.url}])
    page = desk.new_page()
    shots = []
    for address in ("/clinic/", f"/clinic/screenings/{reference}"):
        page.goto(address)
        shots.append(base64.b64encode(page.screenshot()).decode())
    side_by_side(browser, shots, DESK["width"] * 3 // 5, picture)


def side_by_side(browser: Browser, shots: Iterable[str], width: int, picture: Path) -> None:
    """Save pictures (PNG in base64) beside each other, each `width` pixels wide."""
    pages = "".join(f'<img width="{width}" src="data:image/png;base64,{shot}">' for shot in shots)
    sheet = browser.new_page(viewport={"width": 2000, "height": 1000})
    sheet.set_content(SIDE_BY_SIDE + pages)
    save(Image.open(BytesIO(sheet.locator("body").screenshot())), picture)


def form_pages(page: Page) -> Iterator[str]:
    """Yield pictures (PNG in base64) of four pages of the form.

    Start page, a question with its follow-ups open, check page, done page.
    """

    def shot() -> str:
        page.mouse.move(0, 0)  # no element may look as if under the pointer
        return base64.b64encode(page.screenshot(full_page=True)).decode()

    page.goto("/")
    yield shot()
    journey.walk_to(page, "infection", ANSWERS, PATIENT)
    journey.fill_question(page, journey.current_question(page) or journey.QUESTIONS[0], ANSWERS)
    yield shot()
    journey.answer_questions(page, ANSWERS)
    yield shot()
    journey.send(page)
    yield shot()


def save(image: Image.Image, picture: Path) -> None:
    """Write a small PNG and print its path."""
    image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(f"Wrote {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
