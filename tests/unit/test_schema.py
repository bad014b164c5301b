"""The JSON Schema that an editor checks a rule book by: as it is printed, and as strict as the reading."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from screening import create_app
from screening.rulebooks.load import AZATHIOPRINE
from screening.settings import Settings

TRANSLATION = AZATHIOPRINE.with_name("azathioprine.es.toml")
FILES = {
    AZATHIOPRINE: ("azathioprine.schema.json", ()),
    TRANSLATION: ("azathioprine.translation.schema.json", ("--translation",)),
}


def schema(name: str) -> Any:
    return json.loads(AZATHIOPRINE.with_name(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_names_its_schema_and_fits_it(file: Any) -> None:
    name, _option = FILES[file]
    text = file.read_text(encoding="utf-8")
    assert text.startswith(f"#:schema ./{name}\n")
    assert list(Draft202012Validator(schema(name)).iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize(("name", "option"), FILES.values(), ids=lambda value: str(value))
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
    book = tomllib.loads(AZATHIOPRINE.read_text(encoding="utf-8"))
    damage(book)
    assert list(Draft202012Validator(schema("azathioprine.schema.json")).iter_errors(book)) != []


@pytest.mark.parametrize(
    "entry", [{"of": "xyz", "text": "Sí"}, {"of": "0123abcd", "text": ""}, "Sí"]
)
def test_an_editor_marks_a_translation_without_its_mark_or_words(entry: object) -> None:
    book = tomllib.loads(TRANSLATION.read_text(encoding="utf-8"))
    book["choice"]["yes"] = entry
    assert (
        list(Draft202012Validator(schema("azathioprine.translation.schema.json")).iter_errors(book))
        != []
    )
