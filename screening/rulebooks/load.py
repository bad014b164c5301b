"""Load rule books from TOML.

All faults are reported at once, each with file, place and remedy.
"""

import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from screening.domain import rules as domain
from screening.domain.faults import InvalidInput
from screening.rulebooks import shape
from screening.rulebooks.build import build
from screening.rulebooks.proof import Proof
from screening.rulebooks.reading import Content, RuleBookFault, keep_sound
from screening.rulebooks.translation import translated

AZATHIOPRINE = Path(__file__).with_name("azathioprine.toml")
UNREADABLE = (
    'correct it there: texts stand in one line between straight quotes ("), '
    "and the file is in UTF-8"
)
EARLY = ("status", "approved_by", "approved_on")  # keys of [edition] in early editions


class InvalidRuleBook(InvalidInput[list[RuleBookFault]]):
    """Raised for a rule book, with the faults of its translations too."""


def load(
    path: Path = AZATHIOPRINE,
    offered: Collection[str] | None = None,
    drafts: Collection[str] | None = None,
) -> Mapping[str, domain.RuleBook]:
    """Return the rule book at `path` by language code, the base language first.

    Translations are the files beside it named `<name>.<language>.toml`. An incomplete translation
    is left out, unless its language is `offered` and it is reviewed or among the `drafts`; by
    default both name every language. Raises InvalidRuleBook with all faults.
    """
    faults: list[RuleBookFault] = []
    files = {domain.BASE_LANGUAGE: path}
    for overlay in sorted(path.parent.glob(f"{path.stem}.*.toml")):
        language = overlay.stem.removeprefix(f"{path.stem}.")
        if language == domain.BASE_LANGUAGE:
            faults.append(
                RuleBookFault(
                    overlay.name, "the file", "would replace the English book", "remove it"
                )
            )
        files.setdefault(language, overlay)
    content: dict[str, Content] = {}
    for language, file in files.items():
        try:
            content[language] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as err:
            if offered is None or language in {domain.BASE_LANGUAGE, *offered}:
                faults.append(RuleBookFault(file.name, "the file", str(err), UNREADABLE))
    if faults:
        raise InvalidRuleBook(faults)
    names = {language: file.name for language, file in files.items()}
    offered = content.keys() if offered is None else offered
    drafts = content.keys() if drafts is None else drafts
    if isinstance(edition := content[domain.BASE_LANGUAGE].get("edition"), dict):
        remedy = "remove it: approvals are given on the page Rule book"
        written = [key for key in EARLY if edition.pop(key, None) is not None]
        faults += [
            RuleBookFault(path.name, f"edition.{key}", "is not written here", remedy)
            for key in written
        ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return _read(content, canonical, names, faults, offered, drafts)


@lru_cache(maxsize=8)
def load_content(content: str) -> Mapping[str, domain.RuleBook]:
    """Return the rule book stored as `domain.Edition.content`, by language code.

    The content of early editions names the person who approved them. Raises InvalidRuleBook.
    """
    languages = json.loads(content)  # the caller has checked its digest: `load` has written it
    names = {language: f"stored edition ({language})" for language in languages}
    ordered = dict(sorted(languages.items(), key=lambda item: item[0] != domain.BASE_LANGUAGE))
    return _read(ordered, content, names, [], (), ())


def _read(
    content: dict[str, Content],
    canonical: str,
    names: Mapping[str, str],
    faults: list[RuleBookFault],
    offered: Collection[str],
    drafts: Collection[str],
) -> Mapping[str, domain.RuleBook]:
    notes = {language: partial(_note, faults, name) for language, name in names.items()}
    note = notes[domain.BASE_LANGUAGE]
    english = content[domain.BASE_LANGUAGE]
    approvals = _early_approvals(english.get("edition"))
    keep_sound(english, shape.Book, note)
    Proof(english, note)
    worded = {domain.BASE_LANGUAGE: english}
    status = {domain.BASE_LANGUAGE: "original"}
    for language in content.keys() - {domain.BASE_LANGUAGE}:
        overlay = content[language]
        before = len(faults)
        keep_sound(overlay, shape.Translation, notes[language])
        status[language] = overlay.pop("translation", {}).get("status", "")
        worded[language] = translated(english, overlay, notes[language])
        is_wanted = language in offered and (status[language] != "draft" or language in drafts)
        if faults[before:] and not is_wanted:
            del faults[before:], worded[language]
    if faults:
        raise InvalidRuleBook(list(dict.fromkeys(faults)))
    outside = {
        "digest": hashlib.sha256(canonical.encode()).hexdigest(),
        "content": canonical,
        "approvals": approvals,
    }
    books = {
        language: build(
            shape.Book.model_validate(worded[language]), language, status[language], **outside
        )
        for language in content
        if language in worded
    }
    return MappingProxyType(books)


def _early_approvals(edition: object) -> tuple[domain.Approval, ...]:
    """Remove the approval that early editions have in their table, and return it."""
    if not isinstance(edition, dict):
        return ()
    status, by, on = (edition.pop(key, "") for key in EARLY)
    if status != "approved":
        return ()
    return (domain.Approval(by=by, role="", on=date.fromisoformat(str(on)), review_by=None),)


def _note(faults: list[RuleBookFault], file: str, place: str, problem: str, remedy: str) -> None:
    faults.append(RuleBookFault(file, place, problem, remedy))
