"""Which language a page is in, and switching it without losing what was typed."""

import re
from functools import cache, lru_cache

from flask import Blueprint, g, redirect, request, session
from flask.blueprints import BlueprintSetupState
from flask_babel import refresh
from markupsafe import Markup
from werkzeug.wrappers import Response

from screening.domain.rules import RuleBook
from screening.installation import installation
from screening.reports.paper import locale_of
from screening.reports.summary import translations
from screening.web.patient import draft_cookie

_OWN_PATH = re.compile(r"(/[a-z][a-z0-9/_-]*)?/?")

STAFF_BLUEPRINTS = frozenset(
    {"clinic", "paper_entry", "announced", "rule_book", "admin", "account", "security"}
)

blueprint = Blueprint("language", __name__)


def is_for_staff() -> bool:
    """Return whether the page is one for staff, which is in the clinic's language."""
    staff = STAFF_BLUEPRINTS | installation().points.staff_blueprints
    return request.blueprint in staff


def chosen() -> str:
    """The language the patient chose, else the browser's best match, else the clinic's first; for staff its own."""
    language: str | None = g.get("page_language")
    if language is None:
        here = installation()
        if is_for_staff():
            language = here.settings.clinic_language
        elif (wanted := draft_cookie.language()) in here.languages:
            language = wanted
        else:
            language = request.accept_languages.best_match(here.languages) or here.languages[0]
        g.page_language = language
    return language


def book() -> RuleBook:
    """The rule book in the page's language."""
    return installation().books[chosen()]


def switch() -> bool:
    """Whether a language button was pressed; if so the language is switched, and the page only shown again."""
    wanted = request.form.get("language")
    if wanted is None or wanted not in installation().languages:
        return False
    session["language"] = g.page_language = wanted
    refresh()
    return True


def offered() -> list[tuple[str, str]]:
    """Each language offered with its own name."""
    names = {code: locale_of(code).display_name or code for code in installation().languages}
    return [(code, name.capitalize()) for code, name in names.items()]


def own_path(path: str) -> str:
    """A path of our own, never a way to somewhere else."""
    return path if _OWN_PATH.fullmatch(path) else "/"


@blueprint.post("/language")
def switch_page() -> Response:
    """Switch the language of a page without inputs and show it again."""
    switch()
    target = own_path(request.form.get("next", "/"))
    return (
        draft_cookie.remember(draft_cookie.draft_token(), target)
        if draft_cookie.draft_token()
        else redirect(target, code=303)
    )


@blueprint.record
def _for_templates(setup: BlueprintSetupState) -> None:
    setup.app.jinja_env.globals |= {
        "_": _text,
        "page_language": chosen,
        "page_direction": lambda: locale_of(chosen()).text_direction,
        "if_chosen": lambda choices: _if_chosen(chosen(), choices),
        "languages_offered": lambda: [] if is_for_staff() else offered(),
    }


@lru_cache(maxsize=256)  # an edition has a few dozen
def _if_chosen(code: str, choices: tuple[str, ...]) -> str:
    """Return when a follow-up is asked, with the choices in the quotation marks of the language."""
    _ = translations(code).gettext
    quoted = " / ".join(_("“%(choice)s”") % {"choice": choice} for choice in choices)
    return _("If you chose %(choices)s:") % {"choices": quoted}


def _text(english: str, **values: object) -> Markup:
    """Translate a text of a template, as Flask-Babel does, which asks for the language anew for each text."""
    translated = _translated(chosen(), english)
    return translated % values if values else translated


@cache  # as many as the templates have texts in all languages
def _translated(code: str, english: str) -> Markup:
    return Markup(translations(code).gettext(english))  # noqa: S704 - our own text; values are escaped
