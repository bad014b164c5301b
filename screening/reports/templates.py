"""Templates of printed pages and e-mails, rendered outside of a request."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from screening.reports.bidi import with_elements
from screening.reports.summary import translations

ROOT = Path(__file__).parent.parent.parent
FOLDERS = [ROOT / "templates", *ROOT.glob("screening/features/*/templates")]
NOT_IN_XML = (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)


def filled_in(
    template: str,
    language: str,
    *,
    paper: str,
    missing: frozenset[str] = frozenset(),
    **values: Any,
) -> str:
    """Render a template in a language as HTML that is also XML. All `values` are escaped.

    Characters in `missing`, or invalid in XML, are shown by their code points.
    """
    page = _environment(language).get_template(template)
    html = with_elements(page.render(paper=paper.lower(), missing=bool(missing), **values))
    return html.translate({code: f"[U+{code:04X}]" for code in (*NOT_IN_XML, *map(ord, missing))})


def plain_text(template: str, language: str, **values: Any) -> str:
    """Render a template in a language as plain text, without escaping."""
    return _environment(language).get_template(template).render(**values)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDERS),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment
