"""TOML -> RuleBook. Everything is checked, and every fault is reported at once with file, place and remedy."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from screening.domain import rules as domain
from screening.rulebooks import shape
from screening.rulebooks.build import build
from screening.rulebooks.proof import Proof
from screening.rulebooks.reading import Content, RuleBookFault, keep_sound
from screening.rulebooks.translation import translated

AZATHIOPRINE = Path(__file__).with_name("azathioprine.toml")


class InvalidRuleBook(Exception):
    """Raised with every fault found in a rule book and its translations."""

    def __init__(self, faults: list[RuleBookFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def load(path: Path = AZATHIOPRINE) -> Mapping[str, domain.RuleBook]:
    """Return the rule book at `path` in each of its languages, by language code, the base language first.

    Translations are the files beside it named `<name>.<language>.toml`. Raises InvalidRuleBook with all faults.
    """
    faults: list[RuleBookFault] = []
    files = {domain.BASE_LANGUAGE: path}
    for overlay in sorted(path.parent.glob(f"{path.stem}.*.toml")):
        language = overlay.stem.removeprefix(f"{path.stem}.")
        if language == domain.BASE_LANGUAGE:
            faults.append(RuleBookFault(overlay.name, "the file", "would replace the English book", "remove it"))
        files.setdefault(language, overlay)
    content: dict[str, Content] = {}
    for language, file in files.items():
        try:
            content[language] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as err:
            faults.append(RuleBookFault(file.name, "the file", str(err), "make it a readable UTF-8 TOML file"))
    if faults:
        raise InvalidRuleBook(faults)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return _read(content, canonical, {language: file.name for language, file in files.items()})


@lru_cache(maxsize=8)
def load_content(content: str) -> Mapping[str, domain.RuleBook]:
    """The rule book kept as `domain.Edition.content`, in each of its languages. Raises InvalidRuleBook."""
    languages = json.loads(content)  # its digest was proven: it is what `load` made
    names = {language: f"stored edition ({language})" for language in languages}
    return _read(dict(sorted(languages.items(), key=lambda item: item[0] != domain.BASE_LANGUAGE)), content, names)


def _read(content: dict[str, Content], canonical: str, names: Mapping[str, str]) -> Mapping[str, domain.RuleBook]:
    faults: list[RuleBookFault] = []
    notes = {language: partial(_note, faults, name) for language, name in names.items()}
    note, english = notes[domain.BASE_LANGUAGE], content[domain.BASE_LANGUAGE]
    keep_sound(english, shape.Book, note)
    Proof(english, note)
    in_words = {}
    status = {domain.BASE_LANGUAGE: "reviewed"}
    for language, overlay in content.items():
        if language == domain.BASE_LANGUAGE:
            in_words[language] = english
        else:
            keep_sound(overlay, shape.Translation, notes[language])
            status[language] = overlay.pop("translation", {}).get("status", "")
            in_words[language] = translated(english, overlay, notes[language])
    if faults:
        raise InvalidRuleBook(list(dict.fromkeys(faults)))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return MappingProxyType(
        {
            language: build(
                shape.Book.model_validate(book), language, status[language], digest=digest, content=canonical
            )
            for language, book in in_words.items()
        }
    )


def _note(faults: list[RuleBookFault], file: str, place: str, problem: str, remedy: str) -> None:
    faults.append(RuleBookFault(file, place, problem, remedy))
