"""Check that every text of pages and summary is translated and compiled.

`--update` collects and compiles the texts. The exit code is 1 where a text is not in a catalogue,
not translated or not compiled; each fault is printed.
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
JINJA = "jinja2.ext.babel_extract"
METHODS = [("**.py", "python"), ("**.html", JINJA), ("**.txt", JINJA)]
OPTIONS = {files: {"trimmed": "true", "silent": "false"} for files in ("**.html", "**.txt")}
# The positions of the texts among the arguments of a call, by the name of the function.
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "_l": None,
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "lazy_pgettext": ((1, "c"), 2),
}


def collected() -> Catalog:
    """Return every text marked for translation in templates and Python files."""
    template = Catalog(charset="utf-8")
    for folder in ("templates", "screening"):
        messages = extract_from_dir(
            ROOT / folder, method_map=METHODS, options_map=OPTIONS, keywords=KEYWORDS
        )
        for file, _line, message, comments, context in messages:
            locations = [(f"{folder}/{file}", 0)]
            template.add(message, locations=locations, auto_comments=comments, context=context)
    return template


def not_collected(source: str, known: set[str]) -> Iterator[str]:
    """Yield the texts of a Python file that are to be translated but are not collected in `known`.

    A text is not collected if the function is called by a name that is not in KEYWORDS, or if the
    text is composed in the call.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "flask_babel":
            for alias in node.names:
                name = alias.asname or alias.name
                is_same = name in KEYWORDS and KEYWORDS[name] == KEYWORDS.get(alias.name)
                if "gettext" in alias.name and not is_same:
                    renamed = f"{alias.name} is called {name}"
                    yield f"line {node.lineno}: {renamed}, a name that is not collected"
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name not in KEYWORDS:
            continue
        positions = [part for part in KEYWORDS[name] or (1,) if isinstance(part, int)]
        for text in (node.args[index - 1] for index in positions if index <= len(node.args)):
            match text:
                case ast.Constant(value=str(words)) if words in known:
                    pass
                case ast.Constant() | ast.JoinedStr() | ast.BinOp() | ast.IfExp():
                    yield f"line {node.lineno}: {ast.unparse(text)} is not collected"
                case _:
                    pass  # a text that N_ marks elsewhere


def every_text(catalogue: Catalog) -> set[str]:
    """Return the texts of a catalogue; singular and plural are separate texts."""
    texts: set[str] = set()
    for message in catalogue:
        texts.update(message.id if isinstance(message.id, tuple) else (message.id,))
    return texts - {""}


def message_ids(catalogue: Catalog) -> set[str | tuple[str, ...]]:
    """Return the ids of the messages of a catalogue without its header."""
    return {message.id for message in catalogue if message.id}


def compiled(catalogue: Catalog) -> bytes:
    """Return the catalogue as the content of a .mo file."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main(*, update: bool) -> int:
    """Check or update every catalogue, and return the number of faults."""
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
            # The same catalogue results in the same files on every day and machine.
            catalogue.project = "screening"
            catalogue.creation_date = datetime(2026, 1, 1, tzinfo=UTC)
            with path.open("wb") as file:
                write_po(file, catalogue, width=110, sort_output=True, include_lineno=False)
            path.with_suffix(".mo").write_bytes(compiled(catalogue))
        prefix = f"{path.name} ({language}):"
        wanted = message_ids(template)
        present = message_ids(catalogue)
        missing = sorted(wanted - present, key=str)
        unused = sorted(present - wanted, key=str)
        faults += [f"{prefix} {text!r} is not in it" for text in missing]
        faults += [f"{prefix} {text!r} is used nowhere" for text in unused]
        for message in filter(lambda message: message.id, catalogue):
            strings = message.string if message.pluralizable else [message.string]
            if message.fuzzy or not all(strings):
                faults.append(f"{prefix} {message.id!r} is not translated")
            if message.string:
                errors = message.check(catalogue)
                faults += [f"{prefix} {message.id!r}: {error}" for error in errors]
        if path.with_suffix(".mo").read_bytes() != compiled(catalogue):
            faults.append(f"{prefix} the .mo file is not compiled from it")
    for fault in faults:
        print(f"{fault}; run `make translations` and translate what is new")
    return len(faults)


if __name__ == "__main__":
    sys.exit(1 if main(update="--update" in sys.argv[1:]) else 0)
