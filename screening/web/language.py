"""The language of a page, and how a patient switches it without losing what was typed."""

import re
from functools import cache, lru_cache

from flask import Blueprint, g, redirect, request, session
from flask.blueprints import BlueprintSetupState
from flask_babel import refresh
from markupsafe import Markup
from werkzeug.wrappers import Response

from screening.domain.rules import RuleBook
from screening.installation import current_installation
from screening.reports.paper import locale_of
from screening.reports.summary import translations
from screening.web.patient import draft_cookie

_OWN_PATH = re.compile(r"(/[a-z][a-z0-9/_-]*)?/?")

STAFF_BLUEPRINTS = frozenset(
    {
        "clinic",
        "paper_entry",
        "announced",
        "same_person",
        "rule_book",
        "admin",
        "account",
        "security",
    }
)

blueprint = Blueprint("language", __name__)


def is_for_staff() -> bool:
    """Return whether the page is for staff; such pages are in the clinic's language."""
    name = request.blueprint
    return name in STAFF_BLUEPRINTS or name in current_installation().points.staff_blueprints


def chosen() -> str:
    """Return the language of the page.

    That is the clinic's on pages for staff. For patients it is the one chosen, else the browser's
    best match, else the first that the clinic offers.
    """
    language: str | None = g.get("page_language")
    if language is None:
        installation = current_installation()
        if is_for_staff():
            language = installation.settings.clinic_language
        elif (wanted := draft_cookie.language()) in installation.languages:
            language = wanted
        else:
            language = (
                request.accept_languages.best_match(installation.languages)
                or installation.languages[0]
            )
        g.page_language = language
    return language


def book() -> RuleBook:
    """Return the rule book in the page's language."""
    return current_installation().books[chosen()]


def switch() -> bool:
    """Switch the language if a language button was pressed; return whether one was."""
    wanted = request.form.get("language")
    if wanted is None or wanted not in current_installation().languages:
        return False
    session["language"] = g.page_language = wanted
    refresh()
    return True


def offered() -> list[tuple[str, str]]:
    """Return the code of each language offered, with its name in that language."""
    names = {
        code: locale_of(code).display_name or code for code in current_installation().languages
    }
    return [(code, name.capitalize()) for code, name in names.items()]


def own_path(path: str) -> str:
    """Return the path if it is one of this application's, else "/"."""
    return path if _OWN_PATH.fullmatch(path) else "/"


@blueprint.post("/language")
def switch_page() -> Response:
    """Switch the language of a page without inputs and show it again."""
    switch()
    target = own_path(request.form.get("next", "/"))
    if token := draft_cookie.draft_token():
        return draft_cookie.remember(token, target)
    return redirect(target, code=303)


@blueprint.record
def _for_templates(setup: BlueprintSetupState) -> None:
    setup.app.jinja_env.globals |= {
        "_": _text,
        "page_language": chosen,
        "page_direction": lambda: locale_of(chosen()).text_direction,
        "if_chosen": lambda choices: _if_chosen(chosen(), choices),
        "languages_offered": lambda: [] if is_for_staff() else offered(),
    }


@lru_cache(maxsize=256)  # an edition has a few dozen such texts
def _if_chosen(code: str, choices: tuple[str, ...]) -> str:
    """Return the condition of a follow-up, its choices in the quotation marks of the language."""
    _ = translations(code).gettext
    quoted = " / ".join(_("“%(choice)s”") % {"choice": choice} for choice in choices)
    return _("If you chose %(choices)s:") % {"choices": quoted}


def _text(english: str, **values: object) -> Markup:
    """Return the translation of a text of a template.

    Flask-Babel would determine the language anew for each text.
    """
    translated = _translated(chosen(), english)
    return translated % values if values else translated


@cache  # at most one entry for each text of the templates and language
def _translated(code: str, english: str) -> Markup:
    return Markup(translations(code).gettext(english))  # noqa: S704 - our own text; values are escaped
