"""A failed delivery is shown in the inbox, retried there, and gone once it has arrived."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from screening import background
from screening.application import create_app
from screening.extensions import db
from screening.installation import current_installation
from screening.settings import load_settings
from screening.storage import outbox
from tests.browser import colleague, journey
from tests.browser.colleague import PHONE
from tests.browser.conftest import visits
from tests.browser.inspection import assert_accessible
from tests.browser.server import serve
from tests.builders import all_no
from tests.storing import store


@pytest.mark.audit
def test_a_failed_delivery_is_noticed_and_tried_again(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    instance = tmp_path / "instance"
    instance.mkdir(mode=0o700)
    (instance / "settings.toml").write_text(
        f'[deliver.archive]\nkind = "folder"\nfolder = "{folder}"\n'
    )
    with (
        serve(tmp_path) as server,
        visits(partial(browser.new_context, base_url=server.url), server) as open_page,
    ):
        worker = create_app(
            load_settings({"SCREENING_INSTANCE": str(instance), "SCREENING_PUBLIC_URL": server.url})
        )
        with worker.app_context():
            installation = current_installation(worker)
            book = installation.books["en"]
            jobs = installation.jobs_of_sent
            sent = store(
                db.session, installation.keys, book, all_no(), jobs=jobs, name="Sample Patient"
            )
        background.empty_outbox(worker)
        colleague.change(server, f"UPDATE outbox SET attempts = {outbox.SEEN_AFTER}")

        page = colleague.at_work(open_page, server, "prescriber", **PHONE)
        page.goto("/clinic/")
        notice = page.locator("form.notice")
        expect(notice).to_contain_text("1 summary was not delivered to “archive”.")
        expect(notice).to_contain_text("The folder is missing or cannot be written to.")
        expect(notice.get_by_role("link", name=sent.reference)).to_be_visible()
        assert_accessible(page)

        folder.mkdir()
        journey.press(page, "form.notice button")
        expect(page.locator("form.notice")).to_have_count(0)
        background.empty_outbox(worker)
        assert [file.name for file in folder.iterdir()] == [f"{sent.reference}-1.pdf"]
        page.reload()
        expect(page.locator("form.notice")).to_have_count(0)
        with worker.app_context():
            db.engine.dispose()
