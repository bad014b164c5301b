"""A patient who leaves something out reads what is missing, in the language of the page."""

from __future__ import annotations

import pytest
from flask import Flask

from screening.domain.rules import Question
from tests.builders import book, book_with
from tests.integration.visitor import NO_TO_ALL, SAMPLE, Visitor
from tests.storing import put_in_force

pytestmark = pytest.mark.one_database


def test_each_question_left_out_is_named_as_the_rule_book_says(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin()
    for question in book().questions:
        path = f"/questions/{question.id}"
        visitor.post(path)
        assert f"{question.unanswered}. If you do not know, choose “I am not sure”" in visitor.text
        for item in question.page:
            if item.required and not isinstance(item, Question):
                visitor.post(path, {question.id: min(item.when)})
                assert f"{item.unanswered}." in visitor.text
        visitor.post(path, NO_TO_ALL[question.id])


def test_a_book_without_words_for_it_names_the_question(sqlite_app: Flask) -> None:
    early = book_with(lambda content: content["question"][0].pop("unanswered"))
    put_in_force(sqlite_app, early.edition.content)
    visitor = Visitor(sqlite_app)
    visitor.begin()
    visitor.post("/questions/pregnancy")
    asked = "Choose an answer for “Are you pregnant?”. If you do not know, choose “I am not sure”"
    assert asked in visitor.text


def test_what_is_missing_is_said_in_the_language_of_the_page(sqlite_app: Flask) -> None:
    visitor = Visitor(sqlite_app)
    visitor.begin(name="", birth_month="")
    visitor.post("/about-you", {**SAMPLE, "language": "es"})
    visitor.post("/about-you", {**SAMPLE, "name": "", "birth_month": ""})
    assert "Escriba su nombre" in visitor.text
    assert "La fecha de nacimiento debe incluir el mes" in visitor.text
    visitor.post("/about-you", SAMPLE)
    visitor.post("/questions/pregnancy")
    assert (
        "Indique si está embarazada. Si no lo sabe, elija «No lo sé con seguridad»" in visitor.text
    )
    assert "Si eligió «No»" in visitor.text
