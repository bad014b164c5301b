"""Reading TOML tables strictly: each key is asked for by type, and what is wrong, missing or left over is a fault."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


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


class Table:
    """One TOML table being read. Methods return a harmless value after noting a fault, so that reading goes on.

    `path` is the table's dotted place, in which arrays of tables use ids; with an `overlay`, texts are translated.
    `number` is the table's place in its array, from 1.
    """

    def __init__(
        self,
        file: str,
        path: str,
        content: object,
        faults: list[RuleBookFault],
        *,
        overlay: Overlay | None = None,
        number: int = 0,
    ) -> None:
        self.file = file
        self.path = path
        self.faults = faults
        self.overlay = overlay
        self.number = number
        self._content: dict[str, object] = content if isinstance(content, dict) else {}
        self._rest = dict.fromkeys(self._content)
        self._inside: list[Table] = []
        if not isinstance(content, dict):
            self.fault("", "is missing or not a table", f"write it as [{path}]")

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

    def _take(self, key: str, *, required: bool) -> object:
        self._rest.pop(key, None)
        if key not in self._content and required:
            self.fault(key, "is missing", "add it")
        return self._content.get(key)

    def text(self, key: str, *, required: bool = True, translated: bool = True) -> str:
        """A text, in the language of the overlay where there is one; empty only where it is not required."""
        value = self._take(key, required=required)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.fault(key, "is empty or not a text", 'write words between quotes: key = "..."')
            return ""
        if not translated or self.overlay is None:
            return value
        return self.overlay.text(self._at(key), value)

    def texts(self, key: str, *, required: bool = True, translated: bool = True) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key, required=required)
        if value is None:
            return ()
        if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
            self.fault(key, "is not a list of texts", 'write key = ["...", "..."]')
            return ()
        if not translated or self.overlay is None:
            return tuple(value)
        return tuple(self.overlay.text(self._at(f"{key}.{place}"), one) for place, one in enumerate(value, start=1))

    def id(self, key: str) -> str:
        """An identifier: a letter, then letters, digits, `_` or `-`."""
        value = self._take(key, required=True)
        if isinstance(value, str) and _ID.fullmatch(value):
            return value
        if value is not None:
            self.fault(key, f"{value!r} is not an id", "use a letter, then letters, digits, _ or -")
        return ""

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of the allowed words, or an empty string after a fault."""
        value = self._take(key, required=True)
        if value is None or (isinstance(value, str) and value in allowed):
            return value or ""
        self.fault(key, f"{value!r} is not known", f"use one of: {', '.join(allowed)}")
        return ""

    def several_of(self, key: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """A list of different words, all of them allowed and at least one of them."""
        value = self._take(key, required=True)
        if value is None:
            return ()
        if not isinstance(value, list) or not value:
            self.fault(key, "is not a list of words", 'write key = ["...", "..."]')
            return ()
        for place, one in enumerate(value):
            if one not in allowed:
                self.fault(key, f"{one!r} is not known", f"use some of: {', '.join(sorted(allowed))}")
            elif one in value[:place]:
                self.fault(key, f"{one!r} stands there twice", "remove one of them")
        return tuple(dict.fromkeys(one for one in value if isinstance(one, str) and one in allowed))

    def whole(self, key: str, *, least: int) -> int:
        """A whole number of at least `least`."""
        value = self._take(key, required=True)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        if value is not None:
            self.fault(key, f"{value!r} is not a whole number of at least {least}", f"write one, such as {key} = 24")
        return least

    def flag(self, key: str) -> bool:
        """True or false; false where it is left out."""
        value = self._take(key, required=False)
        if value is not None and not isinstance(value, bool):
            self.fault(key, f"{value!r} is neither true nor false", "write true or false")
        return value is True

    def date(self, key: str, *, required: bool) -> datetime.date | None:
        """A date, as a TOML date or (in a stored edition) as its ISO text."""
        value = self._take(key, required=required)
        if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            return value
        if isinstance(value, str):
            try:
                return datetime.date.fromisoformat(value)
            except ValueError:
                pass
        if value is not None:
            self.fault(key, f"{value!r} is not a date", f"write {key} = 2026-01-31")
        return None

    def table(self, key: str) -> Table:
        """The table at `key`; an empty one after a fault."""
        return self._inner(key, self._take(key, required=False))

    def tables(self, key: str, *, required: bool = True) -> list[Table]:
        """The array of tables at `key`, each with an id of its own."""
        value = self._take(key, required=required)
        if value is None:
            return []
        if not isinstance(value, list) or not value:
            self.fault(key, "is not an array of tables", f"write it as [[{self._at(key)}]]")
            return []
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
        inner = Table(self.file, self._at(key), content, self.faults, overlay=self.overlay, number=number)
        self._inside.append(inner)
        return inner
