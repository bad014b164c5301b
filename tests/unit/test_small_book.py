"""The small rule book has each thing that a rule book can say: so tests of the engine meet it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from pydantic import BaseModel

from screening.domain.rules import Kind, Severity
from screening.rulebooks import shape
from tests.unit.small_book import ENGLISH, book


def written(table: BaseModel) -> Iterator[tuple[type[BaseModel], str]]:
    """Each key that is written in a table or in one below it, with the kind of its table."""
    for key in table.model_fields_set:
        yield type(table), key
        value = getattr(table, key)
        for below in value if isinstance(value, list) else [value]:
            if isinstance(below, BaseModel):
                yield from written(below)


def test_each_key_of_each_table_is_written_somewhere() -> None:
    content = tomllib.loads(ENGLISH.read_text(encoding="utf-8"))
    keys = set(written(shape.Book.model_validate(content)))
    tables = {table for table, _ in keys}
    assert len(tables) > 12
    assert {(table, key) for table in tables for key in table.model_fields} == keys


def test_there_is_each_kind_of_answer_and_each_severity_of_a_rule() -> None:
    rules = book()
    assert {item.kind for item in rules.asked()} == set(Kind)
    severities = {rule.finding.severity for rule in rules.rules}
    assert severities | {Severity.NONE, Severity.CLARIFY} == set(Severity)


def test_rules_read_a_question_a_follow_up_and_both_together() -> None:
    questions = {question.id for question in book().questions}
    read = {tuple(asked in questions for asked, _ in rule.when) for rule in book().rules}
    assert read == {(True,), (False,), (True, False)}
