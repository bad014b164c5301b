"""Features. Deleting its folder here, and those of its name in `tests`, removes a feature."""

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask

from screening.installation import Installation


def init_app(app: Flask, installation: Installation) -> None:
    """Let each feature add its parts to the application.

    Must be called before Flask-WTF's check of CSRF tokens is set up. Raises InvalidSettings.
    """
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}").init_app(app, installation)
