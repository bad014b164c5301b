"""Monitoring gets true answers and delays no patient, however often it asks."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.browsing import Browser, Patient
from tests.faults.serving import NewDatabase, served

REQUESTS = 200
AT_ONCE = 8
PAGES = 100
AT_MOST = 30  # seconds for all of them


@pytest.mark.audit
def test_asked_often_while_pages_are_served_it_says_ready(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with served(tmp_path, new_database()) as server:
        patient = Patient(server.url, "watched")
        patient.begin()
        begun = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as watching, ThreadPoolExecutor(2) as reading:
            pages = reading.map(lambda _: patient.get("/about-you").status, range(PAGES))
            answers = watching.map(
                lambda _: Browser(server.url).get("/readyz").html, range(REQUESTS)
            )
            assert Counter(answers) == {"ready\n": REQUESTS}
            assert Counter(pages) == {200: PAGES}
        assert time.monotonic() - begun < AT_MOST
        assert server.faults() == []
