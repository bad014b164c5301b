"""Check that keys, database, release and rule book of this installation fit together."""

import logging

from flask import Flask
from sqlalchemy.exc import DatabaseError

from screening.extensions import db
from screening.installation import current_installation
from screening.rulebooks.load import InvalidRuleBook
from screening.settings import InvalidSettings, as_called
from screening.storage import audit, search
from screening.storage.database import DatabaseNotReady, check_keys, check_release
from screening.storage.editions import VersionUsed
from screening.storage.private_files import KeyFault, read_private

START_FAULTS = (InvalidSettings, InvalidRuleBook, VersionUsed, KeyFault, DatabaseNotReady)
SECRET_BYTES = 32


def check_ready(app: Flask) -> None:
    """Raise KeyFault, DatabaseNotReady or InvalidSettings unless this installation can serve."""
    installation = current_installation(app)
    if len(read_private(installation.secret_file)) < SECRET_BYTES:
        raise KeyFault(f"{installation.secret_file} is too short; remove it and run `flask init`")
    with app.app_context():
        try:
            check_keys(db.session, installation.keys)
            check_release(db.session)
            search.check(db.session, installation.keys)
            installation.check_languages(installation.books)
            if lost := audit.lost(db.session, installation.keys):
                logging.getLogger("screening").error("%s", as_called(lost))
        except DatabaseError as err:
            raise not_reachable(err) from err
        finally:
            db.session.close()
            db.engine.dispose()  # child processes must inherit no connection


def not_reachable(err: Exception) -> DatabaseNotReady:
    """Return the exception for a database that does not answer or belongs to another program."""
    reason = str(getattr(err, "orig", err)).strip().splitlines()[0]
    return DatabaseNotReady(
        f"The database at {db.engine.url.render_as_string()} cannot be used: {reason}"
    )
