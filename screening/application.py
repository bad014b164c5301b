"""The Flask application: wiring only."""

from collections.abc import MutableMapping
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from screening import cli, features
from screening.extensions import babel, csrf, db
from screening.installation import Installation
from screening.reports.summary import is_translated
from screening.settings import InvalidSettings, Settings, load_settings
from screening.storage.database import configure
from screening.storage.private_files import read_private
from screening.storage.tables import Base
from screening.web import (
    admin,
    announced,
    clinic,
    errors,
    fhir,
    headers,
    health,
    language,
    navigation,
    paper_entry,
    rule_book,
    same_person,
    uploads,
    verify,
)
from screening.web.patient import draft_cookie, papers
from screening.web.patient import views as patient
from screening.web.sign_in import setup as sign_in_setup

ROOT = Path(__file__).parent.parent
REQUEST_BYTES = 64 * 1024  # a full questionnaire in a four-byte script is under 20 kB


class Pages(Environment):
    """The templates. All of them share one dictionary of globals, which is looked up faster."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals of a template. A chain of two dictionaries costs each page 5 %."""
        return super().make_globals(d) if d else self.globals


def _is_known(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether migrations look at this. The tables of a removed feature stay unseen."""
    return kind != "table" or name in Base.metadata.tables


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application. Raises InvalidSettings, KeyFault.

    Files are read, the database is not touched: `operating.readiness` proves that it can serve.
    """
    settings = settings or load_settings()
    wanted = {"clinic_language": (settings.clinic_language,), "languages": settings.languages}
    half = [
        (name, code) for name, codes in wanted.items() for code in codes if not is_translated(code)
    ]
    if half:
        words = "the pages are not translated into"
        raise InvalidSettings([f"{settings.place(name)}: {words} {code}" for name, code in half])
    installation = Installation(settings)
    app = Flask(
        __name__,
        instance_path=str(settings.instance),
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
    )
    app.jinja_environment = Pages
    has_secret = installation.secret_file.exists()
    secret = read_private(installation.secret_file) if has_secret else None
    app.config.from_mapping(
        SECRET_KEY=secret,
        SQLALCHEMY_ENGINES={
            "default": {"url": settings.database, "pool_pre_ping": bool(settings.database_url)}
        },
        ALEMBIC={"script_location": "storage/migrations"},
        ALEMBIC_CONTEXT={
            "render_as_batch": True,
            "transactional_ddl": True,
            "include_name": _is_known,
            "keys": lambda: installation.keys,
        },
        TRUSTED_HOSTS=settings.hosts,
        MAX_CONTENT_LENGTH=REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=REQUEST_BYTES,
        SESSION_COOKIE_NAME="__Host-session" if settings.over_tls else "session",
        SESSION_COOKIE_SECURE=settings.over_tls,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # as long as the session: a slow reader must not lose what was typed
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # it wants the Referer that our own Referrer-Policy withholds
        BABEL_DEFAULT_LOCALE=settings.languages[0],
        BABEL_DEFAULT_TIMEZONE=settings.clinic_timezone,
    )
    app.extensions["screening"] = installation
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True

    db.init_app(app)
    # Closing async sessions, which we do not use, would start a thread at the end of every request.
    app.teardown_appcontext_funcs[:] = [
        function for function in app.teardown_appcontext_funcs if not iscoroutinefunction(function)
    ]
    with app.app_context():
        configure(db.engine)
        db.sessionmaker.configure(info={"keys": lambda: installation.keys})
    uploads.init_app(app)
    features.init_app(app, installation)
    draft_cookie.init_app(app)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=lambda: settings.locale(language.chosen()))
    app.jinja_env.globals["clinic"] = settings
    app.jinja_env.globals["sections"] = navigation.sections
    sign_in_setup.init_app(app, installation)
    for part in (
        patient,
        papers,
        clinic,
        paper_entry,
        announced,
        same_person,
        rule_book,
        admin,
        verify,
        language,
        health,
        fhir,
    ):
        app.register_blueprint(part.blueprint)
    headers.init_app(app)
    errors.init_app(app)
    cli.init_app(app)
    return app
