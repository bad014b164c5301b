"""Check that every text of pages and summary is translated and compiled; `--update` collects and compiles them.

Exit code 1 with one line per fault: a text that is not in a catalogue, not translated, or not
compiled.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
CATALOGUES = ROOT / "screening" / "translations"
METHODS = [
    ("**.py", "python"),
    ("**.html", "jinja2.ext.babel_extract"),
    ("**.txt", "jinja2.ext.babel_extract"),
]
# Which arguments of a call are texts, by the name under which the function is called.
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "_l": None,
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "lazy_pgettext": ((1, "c"), 2),
}


def collected() -> Catalog:
    """Every text marked for translation in templates and Python files."""
    template = Catalog(charset="utf-8")
    for folder in ("templates", "screening"):
        options = {files: {"trimmed": "true", "silent": "false"} for files in ("**.html", "**.txt")}
        found = extract_from_dir(
            ROOT / folder, method_map=METHODS, options_map=options, keywords=KEYWORDS
        )
        for file, _line, message, comments, context in found:
            template.add(
                message,
                locations=[(f"{folder}/{file}", 0)],
                auto_comments=comments,
                context=context,
            )
    return template


def not_collected(source: str, known: set[str]) -> Iterator[str]:
    """What a Python file has that is to be translated and that would be passed over: none of `known` is it.

    A call is passed over under a name that is not in KEYWORDS, or for a text that is put together
    in the call.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "flask_babel":
            for one in node.names:
                name = one.asname or one.name
                is_same = name in KEYWORDS and KEYWORDS[name] == KEYWORDS.get(one.name)
                if "gettext" in one.name and not is_same:
                    yield f"line {node.lineno}: {one.name} is called {name}, a name that is not collected"
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name not in KEYWORDS:
            continue
        places = [one for one in KEYWORDS[name] or (1,) if isinstance(one, int)]
        for text in (node.args[place - 1] for place in places if place <= len(node.args)):
            match text:
                case ast.Constant(value=str(words)) if words in known:
                    pass
                case ast.Constant() | ast.JoinedStr() | ast.BinOp() | ast.IfExp():
                    yield f"line {node.lineno}: {ast.unparse(text)} is not collected"
                case _:
                    pass  # a text that N_ marks elsewhere


def every_text(catalogue: Catalog) -> set[str]:
    """Each text of a catalogue, one and many apart."""
    ids = [message.id for message in catalogue if message.id]
    return {text for one in ids for text in (one if isinstance(one, tuple) else (one,))}


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as a .mo file."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main(*, update: bool) -> int:
    """Check or update every catalogue; the number of faults."""
    template = collected()
    known = every_text(template)
    faults = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in sorted((ROOT / "screening").rglob("*.py"))
        for fault in not_collected(path.read_text(encoding="utf-8"), known)
    ]
    for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/messages.po")):
        language = path.parent.parent.name
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        if update:
            catalogue.update(template, no_fuzzy_matching=True)
            catalogue.obsolete.clear()
            # The same catalogue gives the same files on every day and machine.
            catalogue.project = "screening"
            catalogue.creation_date = datetime(2026, 1, 1, tzinfo=UTC)
            with path.open("wb") as file:
                write_po(
                    file,
                    catalogue,
                    width=110,
                    omit_header=False,
                    sort_output=True,
                    include_lineno=False,
                )
            path.with_suffix(".mo").write_bytes(compiled(catalogue))
        wanted, present = (
            {message.id for message in one if message.id} for one in (template, catalogue)
        )
        faults += [
            f"{path.name} ({language}): {text!r} is not in it"
            for text in sorted(wanted - present, key=str)
        ]
        faults += [
            f"{path.name} ({language}): {text!r} is used nowhere"
            for text in sorted(present - wanted, key=str)
        ]
        faults += [
            f"{path.name} ({language}): {message.id!r} is not translated"
            for message in catalogue
            if message.id
            and (
                message.fuzzy
                or not all(message.string if message.pluralizable else [message.string])
            )
        ]
        for message in (message for message in catalogue if message.id and message.string):
            faults += [
                f"{path.name} ({language}): {message.id!r}: {error}"
                for error in message.check(catalogue)
            ]
        if path.with_suffix(".mo").read_bytes() != compiled(catalogue):
            faults.append(f"{path.name} ({language}): the .mo file is not compiled from it")
    for fault in faults:
        print(f"{fault}; run `make translations` and translate what is new")
    return len(faults)


if __name__ == "__main__":
    sys.exit(1 if main(update="--update" in sys.argv[1:]) else 0)
