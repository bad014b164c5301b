"""Check that every text of pages and summary is translated and compiled; `--update` collects and compiles them.

Exit code 1 with one line per fault: a text that is not in a catalogue, not translated, or not compiled.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
CATALOGUES = ROOT / "screening" / "translations"


def collected() -> Catalog:
    """Every text marked for translation in templates and Python files."""
    template = Catalog(charset="utf-8")
    for folder, methods in (
        ("templates", [("**.html", "jinja2.ext.babel_extract")]),
        ("screening", [("**.py", "python")]),
    ):
        options = {"**.html": {"trimmed": "true", "silent": "false"}}
        found = extract_from_dir(ROOT / folder, method_map=methods, options_map=options)
        for file, _line, message, comments, context in found:
            template.add(message, locations=[(f"{folder}/{file}", 0)], auto_comments=comments, context=context)
    return template


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as a .mo file."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main(*, update: bool) -> int:
    """Check or update every catalogue; the number of faults."""
    template = collected()
    faults = []
    for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/messages.po")):
        language = path.parent.parent.name
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        if update:
            catalogue.update(template, no_fuzzy_matching=True)
            catalogue.obsolete.clear()
            # The same catalogue gives the same files on every day and machine.
            catalogue.project, catalogue.creation_date = "screening", datetime(2026, 1, 1, tzinfo=UTC)
            with path.open("wb") as file:
                write_po(file, catalogue, width=110, omit_header=False, sort_output=True, include_lineno=False)
            path.with_suffix(".mo").write_bytes(compiled(catalogue))
        wanted, present = ({message.id for message in one if message.id} for one in (template, catalogue))
        faults += [f"{path.name} ({language}): {text!r} is not in it" for text in sorted(wanted - present, key=str)]
        faults += [f"{path.name} ({language}): {text!r} is used nowhere" for text in sorted(present - wanted, key=str)]
        faults += [
            f"{path.name} ({language}): {message.id!r} is not translated"
            for message in catalogue
            if message.id and (not message.string or message.fuzzy)
        ]
        for message in (message for message in catalogue if message.id and message.string):
            faults += [f"{path.name} ({language}): {message.id!r}: {error}" for error in message.check(catalogue)]
        if path.with_suffix(".mo").read_bytes() != compiled(catalogue):
            faults.append(f"{path.name} ({language}): the .mo file is not compiled from it")
    for fault in faults:
        print(f"{fault}; run `make translations` and translate what is new")
    return len(faults)


if __name__ == "__main__":
    sys.exit(1 if main(update="--update" in sys.argv[1:]) else 0)
