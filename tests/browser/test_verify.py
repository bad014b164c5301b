"""A printed summary is checked by code and by file; a failed PDF is shown and retried."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from pypdf import PdfReader

from screening.storage.outbox import ATTEMPTS
from tests.browser import colleague, journey
from tests.browser.inspection import assert_accessible
from tests.browser.journey import OpenPage
from tests.browser.server import LiveServer

BY_CODE = "form[method=get] button"
BY_FILE = "form[method=post][enctype] button"
ZOOMED = {"viewport": {"width": 320, "height": 256}}


def test_a_page_is_checked_by_its_code_and_by_its_file(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(server, name="Checked Patient")
    dr = colleague.at_work(open_page, server, "prescriber")
    colleague.read(dr, reference)
    pdf = dr.request.get(f"{server.url}/clinic/screenings/{reference}/summary.pdf").body()
    match = re.search(r"Check code (\S{14})", PdfReader(BytesIO(pdf)).pages[0].extract_text())
    assert match is not None

    page = open_page(**ZOOMED)
    page.goto("/verify")
    assert_accessible(page)
    page.fill("#code", match[1].lower())
    journey.press(page, BY_CODE)
    assert "has made a summary with this check code" in page.inner_text("main")
    page.fill("#code", "7F3K-9QWD-2MHX")
    journey.press(page, BY_CODE)
    assert "not known here" in page.inner_text("main")

    journey.press(page, BY_FILE)
    assert_accessible(page, error=True)
    changed = pdf.replace(b"(D:2", b"(D:1", 1) + b" "
    for content, verdict in ((pdf, "and is unchanged"), (changed, "This file is not known here")):
        page.set_input_files(
            "#pdf", {"name": "summary.pdf", "mimeType": "application/pdf", "buffer": content}
        )
        journey.press(page, BY_FILE)
        assert verdict in page.inner_text("main")
        assert "Checked Patient" not in page.inner_text("main")
    assert_accessible(page)


@pytest.mark.audit
def test_a_pdf_that_could_not_be_made_is_noticed_and_tried_again(
    open_page: OpenPage, server: LiveServer
) -> None:
    reference = colleague.arrive(server, name="Not Printed")
    failed = f"failed = 1, fault = 'SIGKILL', attempts = {ATTEMPTS}"
    of_screening = "screening_id = (SELECT id FROM screenings WHERE reference = ?)"
    colleague.change(server, f"UPDATE outbox SET {failed} WHERE {of_screening}", reference)
    page = colleague.at_work(open_page, server, "prescriber", **ZOOMED)
    page.goto(f"/clinic/screenings/{reference}/summary.pdf")
    assert "Nothing is lost" in page.inner_text("main")
    assert_accessible(page)
    journey.press(page, "main .button")
    notice = page.locator("form.notice", has_text="will not be retried")
    assert reference in notice.inner_text()
    assert_accessible(page)
    notice.locator("button").click()
    page.wait_for_load_state()
    assert reference not in page.locator("main").inner_text().partition("Search")[0]
    printed = page.request.get(f"{server.url}/clinic/screenings/{reference}/summary.pdf")
    assert printed.body().startswith(b"%PDF")


def test_staff_find_paper_for_patients(open_page: OpenPage, server: LiveServer) -> None:
    page = colleague.at_work(open_page, server, "staff", **ZOOMED)
    page.goto("/clinic/")
    journey.press(page, 'nav.sections a[href="/clinic/paper"]')
    assert page.locator("main .links a").count() == 8
    assert_accessible(page)
