"""Read TOML by a declared shape, and go on without the parts that are wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

Content = dict[str, Any]  # parsed TOML
Note = Callable[[str, str, str], None]  # takes the place, the problem and the remedy of a fault

_TABLE = ("is missing or not a table", "write it as [{place}]")
_NUMBER = ("{value!r} is not a whole number of at least 1", "write one, such as {key} = 24")
_WORDING = {  # the problem and the remedy, by how pydantic's name of an error begins
    "missing": ("is missing", "add it"),
    "extra": ("is not known here", "remove it or correct its name"),
    "model": _TABLE,
    "dict": _TABLE,
    "list": ("is not an array of tables", "write it as [[{place}]]"),
    "tuple": ("is not a list of words", 'write key = ["...", "..."]'),
    "string": ("is empty or not a text", 'write words between quotes: key = "..."'),
    "id": ("{value!r} is not an id", "use a letter, then letters, digits, _ or -"),
    "version": ("{value!r} is not a version", "use at most 40 letters, digits, blanks, . _ + or -"),
    "literal": ("{value!r} is not known", "use one of: {expected}"),
    "bool": ("{value!r} is neither true nor false", "write true or false"),
    "int": _NUMBER,
    "greater": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class RuleBookFault:
    """A fault of a rule book: the file, the table and key in it, the problem and the remedy."""

    file: str
    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.problem}; {self.remedy}"


def keep_sound(content: Content, shape: "type[BaseModel]", note: Note) -> None:
    """Remove from the content all that does not fit the shape, and note a fault for each part."""
    from pydantic import ValidationError

    try:
        # A missing table is reported like a wrong one.
        shape.model_validate(dict.fromkeys(shape.model_fields) | content)
    except ValidationError as err:
        # pydantic also reports an array without any valid item as empty.
        errors = [
            error for error in err.errors() if error["type"] != "too_short" or not error["input"]
        ]
        for error in errors:
            kind = error["type"].split("_")[0]
            key = error["loc"][-1]
            context = error.get("ctx", {})
            if kind == "too":
                kind = context["field_type"].lower()
            elif kind == "string" and key in ("id", "version"):
                kind = str(key)
            place = _place(content, error["loc"])
            expected = context.get("expected", "").replace("'", "").replace(" or ", ", ")
            facts = {"place": place, "key": key, "value": error["input"], "expected": expected}
            problem, remedy = _WORDING[kind]
            note(place, problem.format_map(facts), remedy.format_map(facts))
        for error in reversed(errors):  # the last first: indexes of earlier errors stay valid
            *keys, last = error["loc"]
            table: Any = reduce(getitem, keys, content)
            if isinstance(table, list) or last in table:
                del table[last]


def _place(content: Any, keys: Sequence[Any]) -> str:
    """Return the dotted place to which the keys lead; items of arrays have their ids as names."""
    names = []
    for key in keys:
        content = content[key] if isinstance(content, list) else content.get(key)
        names.append(name_of(content, key + 1) if isinstance(key, int) else key)
    return ".".join(names)


def name_of(item: Any, number: int) -> str:
    """Return the name of an array's item in places: its id, or else its number, from 1."""
    item_id = item.get("id") if isinstance(item, dict) else None
    return item_id if isinstance(item_id, str) and item_id else str(number)
