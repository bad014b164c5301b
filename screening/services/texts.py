"""The clinic's own texts: Markdown without raw HTML, such as `texts/welcome.en.md`."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

MOST_WORDS = {"welcome": 40, "next": 80, "privacy": 600}  # by the place where it is shown
# Words of 7 letters or more for each sentence, above which a text is harder than about US school
# grade 6 (Anderson's Rix, 1983). Rix counts no syllables, so it serves every language that has
# spaces and full stops.
TOO_HARD = 2.4
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?:]+\s|\n\s*(?:\n|[-*#\d])")


def html(folder: Path, place: str, language: str) -> str:
    """Return the clinic's text for a place as HTML; empty where it has none in this language."""
    try:
        # A file that is not UTF-8 must not keep patients out; `faults` reports it.
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
    from markdown_it import MarkdownIt  # imported here: most clinics have no own texts

    return MarkdownIt("commonmark", {"html": False}).disable("image")


def faults(folder: Path, languages: Iterable[str]) -> Iterator[str]:
    """Yield each fault of the files with its remedy."""
    places = {
        _file(folder, place, language): place for place in MOST_WORDS for language in languages
    }
    present = set((folder / "texts").glob("*"))
    for file in sorted(present - set(places)):
        names = ", ".join(sorted(path.name for path in places))
        yield f"{file} is shown nowhere; use a name such as {names}"
    for file, place in places.items():
        if file not in present:
            if any(places.get(other) == place for other in present):
                yield f"{file} is missing: patients with that language see nothing in its place"
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as err:
            yield f"{file} cannot be read ({err}); save it as UTF-8, readable for the server"
            continue
        words = _WORD.findall(text)
        if len(words) > MOST_WORDS[place]:
            yield f"{file} has {len(words)} words; patients read at most {MOST_WORDS[place]} there"
        sentences = sum(1 for part in _SENTENCE_END.split(text) if _WORD.search(part))
        if sum(len(word) > 6 for word in words) >= TOO_HARD * max(sentences, 1):
            yield (
                f"{file} is harder to read than about school grade 6; "
                "use shorter sentences and shorter words"
            )


def _file(folder: Path, place: str, language: str) -> Path:
    return folder / "texts" / f"{place}.{language}.md"
