"""Reading TOML by a declared shape: what is wrong, missing or left over is a fault, and reading goes on without it."""

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
_WORDING = {  # how pydantic's name of an error begins: the problem and what to do
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
    """One thing wrong with a rule book: the file, the table and key in it, what is wrong and what to do."""

    file: str
    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.problem}; {self.remedy}"


def keep_sound(content: Content, shape: "type[BaseModel]", note: Note) -> None:
    """Take out of the content what does not fit the shape, and note a fault for it."""
    from pydantic import ValidationError

    try:
        # a missing table is told like a wrong one
        shape.model_validate(dict.fromkeys(shape.model_fields) | content)
    except ValidationError as err:
        # An array of which no item fits is also told as empty.
        errors = [one for one in err.errors() if one["type"] != "too_short" or not one["input"]]
        for one in errors:
            kind = one["type"].split("_")[0]
            key = one["loc"][-1]
            if kind == "too":
                kind = one["ctx"]["field_type"].lower()
            elif kind == "string" and key in ("id", "version"):
                kind = str(key)
            place = _place(content, one["loc"])
            expected = one.get("ctx", {}).get("expected", "").replace("'", "").replace(" or ", ", ")
            note(
                place,
                *(
                    said.format(place=place, key=key, value=one["input"], expected=expected)
                    for said in _WORDING[kind]
                ),
            )
        for one in reversed(errors):  # the last first: the numbers of those before stay right
            *way, last = one["loc"]
            inside: Any = reduce(getitem, way, content)
            if isinstance(inside, list) or last in inside:
                del inside[last]


def _place(content: Any, way: Sequence[Any]) -> str:
    """Return the dotted place to which the keys lead; items of arrays are called by their ids."""
    names = []
    for key in way:
        content = content[key] if isinstance(content, list) else content.get(key)
        names.append(name_of(content, key + 1) if isinstance(key, int) else key)
    return ".".join(names)


def name_of(item: Any, number: int) -> str:
    """Return what an item of an array is called in places: its id, or else its number, from 1."""
    given = item.get("id") if isinstance(item, dict) else None
    return given if isinstance(given, str) and given else str(number)
