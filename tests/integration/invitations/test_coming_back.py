"""An invited patient without cookies, or with a wrong date of birth: nothing typed is lost."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.integration.invitations.test_invitations import BORN, invited
from tests.integration.test_coming_back import assert_cookies_are_named
from tests.integration.visitor import Visitor

pytestmark = pytest.mark.one_database


def test_without_cookies_the_page_of_a_link_names_them_and_leads_out(sqlite_app: Flask) -> None:
    _made, path = invited(sqlite_app)
    assert_cookies_are_named(sqlite_app, path, **BORN)


def test_a_wrong_date_of_birth_is_shown_after_a_redirect(
    sqlite_app: Flask,
) -> None:
    _made, path = invited(sqlite_app)
    visitor = Visitor(sqlite_app)
    visitor.get(path)
    visitor.post(path, {**BORN, "birth_year": "88"})
    assert [response.status_code for response in visitor.page.history] == [303]
    assert 'value="88"' in visitor.page.text
    visitor.post(path, {**BORN, "birth_day": "13"})
    for _ in range(2):
        assert "You can try 4 more times" in visitor.text
        assert 'value="13"' in visitor.page.text
        visitor.get(path)
    other = invited(sqlite_app)[1]
    assert 'value="13"' not in visitor.get(other).text
    visitor.post(path, dict(BORN))
    assert visitor.path == "/about-you"


def test_a_date_of_birth_is_forgotten_when_the_patient_leaves(sqlite_app: Flask) -> None:
    _made, path = invited(sqlite_app)
    visitor = Visitor(sqlite_app)
    visitor.get(path)
    visitor.post(path, {**BORN, "birth_day": "13"})
    assert 'value="13"' in visitor.page.text
    visitor.get("/")
    visitor.post("/finish")
    assert 'value="13"' not in visitor.get(path).text


def test_a_link_is_shown_once_more_where_its_page_was_open_for_too_long(
    sqlite_app: Flask,
) -> None:
    _made, path = invited(sqlite_app)
    visitor = Visitor(sqlite_app)
    visitor.get(path)
    answer = visitor.client.post(path, data={"csrf_token": "old", **BORN})
    assert (answer.status_code, answer.location) == (303, path)
