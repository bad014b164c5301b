"""Style sheets and scripts: browsers keep them, and never show an old one after an upgrade."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from screening.web import headers
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database
FOR_EVER = "public, max-age=31536000, immutable"


def addresses(visitor: Visitor) -> list[str]:
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', visitor.page.text)


def test_each_file_of_a_page_has_its_version_in_its_address_and_is_kept_for_ever(
    sqlite_app: Flask,
) -> None:
    paths = addresses(Visitor(sqlite_app))
    assert len(paths) >= 3
    for address in paths:
        assert re.search(r"\.\w+\?v=[0-9a-f]{12}$", address)
        assert kept(sqlite_app, address) == (200, FOR_EVER)


def kept(app: Flask, address: str) -> tuple[int, str | None]:
    """The status of a file, and how long a browser may keep it."""
    with app.test_client().get(address) as response:
        return response.status_code, response.headers.get("Cache-Control")


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789ab"])
def test_without_its_version_a_file_is_asked_for_again_each_time(
    sqlite_app: Flask, query: str
) -> None:
    assert kept(sqlite_app, f"/static/css/app.css{query}") == (200, "no-cache")


def test_a_file_that_changed_has_another_address(
    make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(headers.ROOT / "static", tmp_path / "static")
    monkeypatch.setitem(headers.STATIC, "static", f"{tmp_path}/static")
    app = make_app()
    app.static_folder = str(tmp_path / "static")
    before = addresses(Visitor(app))
    style = tmp_path / "static" / "css" / "app.css"
    style.write_text(style.read_text(encoding="utf-8") + "\n/* changed */\n", encoding="utf-8")
    after = addresses(Visitor(app))
    assert [
        old.partition("?")[0] for old, new in zip(before, after, strict=True) if old != new
    ] == ["/static/css/app.css"]
    (old,) = set(before) - set(after)
    (new,) = set(after) - set(before)
    assert kept(app, old) == (200, "no-cache")
    assert kept(app, new) == (200, FOR_EVER)


def test_what_is_no_file_is_an_error_page(sqlite_app: Flask) -> None:
    assert kept(sqlite_app, "/static/css/none.css?v=0123456789ab")[0] == 404


def test_what_can_be_asked_of_a_file_is_told_whether_there_is_one_or_not(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    for name in ("css/app.css", "nothing.css", "../wsgi.py"):
        assert client.options(f"/static/{name}").status_code == 200
