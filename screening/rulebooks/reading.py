"""Reading TOML tables strictly: each key is asked for by type, and what is wrong, missing or left over is a fault."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_origin, get_type_hints

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class RuleBookFault:
    """One thing wrong with a rule book: the file, the table and key in it, what is wrong and what to do."""

    file: str
    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.problem}; {self.remedy}"


def wording_hash(text: str) -> str:
    """The mark by which a translation says which English text it translates: 8 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class Overlay:
    """One translation: texts by their path in the English rule book, such as `question.pregnancy.ask`."""

    def __init__(self, file: str, content: object, faults: list[RuleBookFault]) -> None:
        self.file = file
        self.faults = faults
        self._entries: dict[str, dict[str, object]] = {}
        top = content if isinstance(content, dict) else {}
        self.about = Table(file, "translation", top.get("translation"), faults)
        self._flatten("", {key: value for key, value in top.items() if key != "translation"})
        self._unused = set(self._entries)

    def _flatten(self, path: str, content: dict[str, object]) -> None:
        for key, value in content.items():
            inner = f"{path}.{key}" if path else key
            if isinstance(value, dict) and any(isinstance(value.get(name), str) for name in ("of", "text")):
                self._entries[inner] = value
                for extra in value.keys() - {"of", "text"}:
                    self._fault(f"{inner}.{extra}", "is not known here", "remove it")
            elif isinstance(value, dict):
                self._flatten(inner, value)
            else:
                self._fault(inner, "is not a translation", 'write { of = "...", text = "..." }')

    def _fault(self, path: str, problem: str, remedy: str) -> None:
        self.faults.append(RuleBookFault(self.file, path or "the file", problem, remedy))

    def text(self, path: str, english: str) -> str:
        """The translation of the English text at `path`, or the English after a fault: missing, empty or stale."""
        self._unused.discard(path)
        expected = wording_hash(english)
        entry = self._entries.get(path)
        text = entry.get("text") if entry else None
        if not isinstance(text, str) or not text.strip():
            problem = "is empty" if entry else "is not translated"
            self._fault(path, problem, f'write {{ of = "{expected}", text = "..." }}')
            return english
        if entry is not None and entry.get("of") != expected:
            self._fault(path, f"translates another English text than {english!r}", f'correct it: of = "{expected}"')
        return text

    def refuse_unused(self) -> None:
        """Note a fault for every text that the English rule book does not have."""
        for path in sorted(self._unused):
            self._fault(path, "is not in the English rule book", "remove it")


@dataclass(eq=False)
class Table:
    """One TOML table being read. Methods return a harmless value after noting a fault, so that reading goes on.

    `path` is the table's dotted place, in which arrays of tables use ids; with an `overlay`, texts are translated.
    `number` is the table's place in its array, from 1.
    """

    file: str
    path: str
    content: object
    faults: list[RuleBookFault]
    overlay: Overlay | None = None
    number: int = 0

    def __post_init__(self) -> None:
        self._content: dict[str, object] = self.content if isinstance(self.content, dict) else {}
        self._rest = dict.fromkeys(self._content)
        self._inside: list[Table] = []
        if not isinstance(self.content, dict):
            self.fault("", "is missing or not a table", f"write it as [{self.path}]")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def names(self) -> tuple[str, ...]:
        """The keys present, in file order; none of them is reported as left over."""
        self._rest.clear()
        return tuple(self._content)

    def fault(self, key: str, problem: str, remedy: str) -> None:
        """Note that something is wrong at `key` of this table."""
        self.faults.append(RuleBookFault(self.file, self._at(key) or "the file", problem, remedy))

    def _at(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)

    def refuse_rest(self) -> None:
        """Note a fault for every key that nothing asked for, here and in all tables inside."""
        for key in self._rest:
            self.fault(key, "is not known here", "remove it or correct its name")
        for inner in self._inside:
            inner.refuse_rest()

    def read(self, kind: type[Built], /, *, plain: str = "", optional: str = "", **given: Any) -> Built:
        """The table as one of the domain's dataclasses: each field that is not `given` is read by its type.

        Texts are translated but for those named in `plain`; those named in `optional` may be left out.
        """
        for name, declared in get_type_hints(kind).items():
            if name in given or get_origin(declared) is ClassVar:
                continue
            if name == "id":
                given[name] = self.id()
            elif declared is bool:
                given[name] = self.flag(name)
            elif declared is int:
                given[name] = self.whole(name)
            else:
                read = self.text if declared is str else self.texts
                given[name] = read(name, required=name not in optional.split(), translated=name not in plain.split())
        return kind(**given)

    def _value(self, key: str, fits: Callable[[Any], bool], problem: str, remedy: str, *, required: bool = True) -> Any:
        """What stands at `key` if it fits, else None; after a fault, unless it may be left out. `{!r}` is the value."""
        self._rest.pop(key, None)
        value = self._content.get(key)
        if key not in self._content:
            if required:
                self.fault(key, "is missing", "add it")
        elif not fits(value):
            self.fault(key, problem.format(value), remedy)
            return None
        return value

    def text(self, key: str, *, required: bool = True, translated: bool = True) -> str:
        """A text, in the language of the overlay where there is one; empty only where it is not required."""
        remedy = 'write words between quotes: key = "..."'
        value = self._value(key, _is_text, "is empty or not a text", remedy, required=required)
        return self._worded(key, value, translated=translated) if value else ""

    def texts(self, key: str, *, required: bool = True, translated: bool = True) -> tuple[str, ...]:
        """A list of texts."""
        remedy = 'write key = ["...", "..."]'
        values = self._value(key, _are_texts, "is not a list of texts", remedy, required=required) or ()
        return tuple(
            self._worded(f"{key}.{place}", one, translated=translated) for place, one in enumerate(values, start=1)
        )

    def _worded(self, key: str, english: str, *, translated: bool) -> str:
        return self.overlay.text(self._at(key), english) if translated and self.overlay else english

    def id(self) -> str:
        """The identifier of the table: a letter, then letters, digits, `_` or `-`."""
        remedy = "use a letter, then letters, digits, _ or -"
        return self._value("id", _is_id, "{!r} is not an id", remedy) or ""

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of the allowed words, or an empty string after a fault."""
        remedy = f"use one of: {', '.join(allowed)}"
        return self._value(key, lambda value: value in allowed, "{!r} is not known", remedy) or ""

    def several_of(self, key: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """A list of different words, all of them allowed and at least one of them."""
        values = self._value(key, _is_filled_list, "is not a list of words", 'write key = ["...", "..."]') or ()
        for place, one in enumerate(values):
            if one not in allowed:
                self.fault(key, f"{one!r} is not known", f"use some of: {', '.join(sorted(allowed))}")
            elif one in values[:place]:
                self.fault(key, f"{one!r} stands there twice", "remove one of them")
        return tuple(dict.fromkeys(one for one in values if one in allowed))

    def whole(self, key: str) -> int:
        """A whole number of at least 1."""
        problem, remedy = "{!r} is not a whole number of at least 1", f"write one, such as {key} = 24"
        return self._value(key, lambda value: type(value) is int and value >= 1, problem, remedy) or 1

    def flag(self, key: str) -> bool:
        """True or false; false where it is left out."""
        problem, remedy = "{!r} is neither true nor false", "write true or false"
        return self._value(key, lambda value: isinstance(value, bool), problem, remedy, required=False) or False

    def date(self, key: str, *, required: bool) -> datetime.date | None:
        """A date, as a TOML date or (in a stored edition) as its ISO text."""
        value = self._value(key, _is_date, "{!r} is not a date", f"write {key} = 2026-01-31", required=required)
        return datetime.date.fromisoformat(value) if isinstance(value, str) else value

    def table(self, key: str) -> Table:
        """The table at `key`; an empty one after a fault."""
        self._rest.pop(key, None)
        return self._inner(key, self._content.get(key))

    def tables(self, key: str, *, required: bool = True) -> list[Table]:
        """The array of tables at `key`, each with an id of its own."""
        remedy = f"write it as [[{self._at(key)}]]"
        value = self._value(key, _is_filled_list, "is not an array of tables", remedy, required=required) or ()
        found: list[Table] = []
        seen: set[str] = set()
        for number, content in enumerate(value, start=1):
            given = content.get("id") if isinstance(content, dict) else None
            known_as = given if isinstance(given, str) and given else str(number)
            table = self._inner(f"{key}.{known_as}", content, number)
            if known_as in seen:
                table.fault("id", "is used twice", f"give each {key} an id of its own")
            seen.add(known_as)
            found.append(table)
        return found

    def _inner(self, key: str, content: object, number: int = 0) -> Table:
        inner = Table(self.file, self._at(key), content, self.faults, self.overlay, number)
        self._inside.append(inner)
        return inner


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value))


def _is_filled_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_date(value: Any) -> bool:
    try:
        return type(value) is datetime.date or bool(datetime.date.fromisoformat(value))
    except (TypeError, ValueError):
        return False
