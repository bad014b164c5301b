"""Features. Each leaves by deleting its folder here, and the folders of its name in `tests`."""

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask

from screening.installation import Installation


def init_app(app: Flask, installation: Installation) -> None:
    """Let each feature add what it has. Has to come before whatever refuses forms that are too old.

    Raises InvalidSettings.
    """
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}").init_app(app, installation)
