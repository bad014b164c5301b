"""The JSON Schema of rule books: it is the one that is printed, and as strict as reading."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from screening.application import create_app
from screening.rulebooks.load import AZATHIOPRINE
from screening.settings import Settings
from tests.unit.small_book import ENGLISH, SPANISH

SCHEMAS = {  # the option of `flask rulebook schema` that prints it
    "azathioprine.schema.json": (),
    "azathioprine.translation.schema.json": ("--translation",),
}
FILES = {ENGLISH: "azathioprine.schema.json", SPANISH: "azathioprine.translation.schema.json"}


def schema(name: str) -> Any:
    return json.loads(AZATHIOPRINE.with_name(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_sound_file_fits_its_schema(file: Any) -> None:
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema(FILES[file])).iter_errors(content)) == []


@pytest.mark.parametrize(("name", "option"), SCHEMAS.items(), ids=str)
def test_the_schema_beside_the_rule_book_is_the_one_that_is_printed(
    name: str, option: tuple[str, ...], tmp_path: Any
) -> None:
    app = create_app(Settings(instance=tmp_path))
    printed = app.test_cli_runner().invoke(args=["rulebook", "schema", *option]).stdout
    assert printed == AZATHIOPRINE.with_name(name).read_text(encoding="utf-8"), (
        f"flask rulebook schema > {name}"
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda book: book["edition"].update(status="approved"),
        lambda book: book["rule"][0].update(severity="severe"),
        lambda book: book["question"][0].pop("why"),
        lambda book: book["question"][0].update(valid_for_hours=0),
        lambda book: book["fact"][0].update(says=" "),
        lambda book: book["question"][0].update(choices=["maybe"]),
    ],
)
def test_an_editor_marks_what_reading_refuses(damage: Callable[[Any], object]) -> None:
    book = tomllib.loads(ENGLISH.read_text(encoding="utf-8"))
    damage(book)
    assert list(Draft202012Validator(schema("azathioprine.schema.json")).iter_errors(book)) != []


@pytest.mark.parametrize(
    "entry", [{"of": "xyz", "text": "Sí"}, {"of": "0123abcd", "text": ""}, "Sí"]
)
def test_an_editor_marks_a_translation_without_its_mark_or_words(entry: object) -> None:
    book = tomllib.loads(SPANISH.read_text(encoding="utf-8"))
    book["choice"]["yes"] = entry
    assert (
        list(Draft202012Validator(schema("azathioprine.translation.schema.json")).iter_errors(book))
        != []
    )
