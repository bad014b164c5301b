"""The Flask extensions."""

from typing import Any

from flask import current_app
from flask_babel import Babel
from flask_sqlalchemy_lite import SQLAlchemy
from flask_wtf import CSRFProtect
from werkzeug.local import LocalProxy

from screening.storage.tables import Base

db = SQLAlchemy()
babel = Babel()
csrf = CSRFProtect()


def _alembic() -> Any:
    """Return the migrations of the current application, imported where a command needs them.

    The first use must come before the first request.
    """
    from flask_alembic import Alembic

    app = current_app
    if "alembic" not in app.extensions:
        migrations = Alembic(run_mkdir=False, metadatas=Base.metadata)
        migrations.init_app(app._get_current_object())  # type: ignore[attr-defined]
    return app.extensions["alembic"]


alembic: Any = LocalProxy(_alembic)
