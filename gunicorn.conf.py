"""How gunicorn serves; `gunicorn wsgi:app` in this folder reads this file."""

import gc
from typing import Any

from screening.printing.renderer_process import current_renderer

worker_class = "worker.Worker"
workers = 2
threads = 4
# The application is loaded once, and the workers share its memory.
preload_app = True
control_socket_disable = True
loglevel = "warning"


def when_ready(server: Any) -> None:
    """Start the renderer and compile all templates before the first worker is forked.

    The workers share them.
    """
    current_renderer().begin()
    templates = server.app.wsgi().jinja_env
    for name in templates.list_templates(extensions=["html"]):
        templates.get_template(name)
    gc.collect()
    gc.freeze()  # the collector writes to all other objects, so that each worker gets a copy


def on_reload(server: Any) -> None:
    """Say that this signal (HUP) replaces the workers only."""
    server.log.warning("settings and program stay as they were loaded; a restart loads them anew")
