"""The clinic's own words: Markdown files such as `texts/welcome.en.md` in the instance folder, without raw HTML."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

MOST_WORDS = {"welcome": 40, "next": 80, "privacy": 600}  # by the place where it is shown
# Words of 7 letters or more for each sentence, as in a text above about US school grade 6
# (Anderson's Rix, 1983). It counts no syllables, so it serves every language that has spaces and
# full stops.
TOO_HARD = 2.4
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?:]+\s|\n\s*(?:\n|[-*#\d])")


def html(folder: Path, place: str, language: str) -> str:
    """What the clinic says in this place, as HTML; empty where it says nothing in this language."""
    try:
        # A file that is not UTF-8 must not keep patients out; `faults` tells of it.
        text = _file(folder, place, language).read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""
    markdown = _markdown()
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"  # below the title of the page
    return str(markdown.renderer.render(tokens, markdown.options, {}))


@cache
def _markdown() -> Any:
    from markdown_it import MarkdownIt  # here: most clinics have no texts of their own

    return MarkdownIt("commonmark", {"html": False}).disable("image")


def faults(folder: Path, languages: Iterable[str]) -> Iterator[str]:
    """What is wrong with the files, and what to do about it."""
    known = {
        _file(folder, place, language): place for place in MOST_WORDS for language in languages
    }
    there = set((folder / "texts").glob("*"))
    for file in sorted(there - set(known)):
        yield f"{file} is shown nowhere; use a name such as {', '.join(sorted(one.name for one in known))}"
    for file, place in known.items():
        if file not in there:
            if any(known.get(other) == place for other in there):
                yield f"{file} is missing: whoever reads in that language sees nothing in its place"
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as err:
            yield f"{file} cannot be read ({err}); save it as UTF-8, readable for the server"
            continue
        words = _WORD.findall(text)
        if len(words) > MOST_WORDS[place]:
            yield f"{file} has {len(words)} words; {MOST_WORDS[place]} are the most that patients read there"
        sentences = sum(1 for one in _SENTENCE_END.split(text) if _WORD.search(one))
        if sum(len(word) > 6 for word in words) >= TOO_HARD * max(sentences, 1):
            yield f"{file} is harder to read than about school grade 6; use shorter sentences and shorter words"


def _file(folder: Path, place: str, language: str) -> Path:
    return folder / "texts" / f"{place}.{language}.md"
