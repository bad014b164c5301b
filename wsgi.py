"""The WSGI entry point: `gunicorn wsgi:app`. The `flask` command finds the application here too."""

import gc
import logging
import os
import sys

gc.disable()  # imported objects stay: garbage collection takes a tenth of the time to start
# ruff: noqa: E402
from screening.printing.renderer_process import current_renderer

command = "FLASK_RUN_FROM_CLI" in os.environ
serves = not command or ("run" in sys.argv and "outbox" not in sys.argv)
if command and {"screen", "--pdf"} <= {*sys.argv}:
    current_renderer().begin()  # it loads at the same time as the application

from screening import background
from screening.application import create_app
from screening.operating.readiness import START_FAULTS, check_ready
from screening.settings import InvalidSettings, as_called

# Commands such as `flask init` must run on an unprepared installation; `flask run` must not.
try:
    app = create_app()
    if app.debug and not command:
        raise InvalidSettings(["FLASK_DEBUG is set: error pages would show data of patients"])
    gc.freeze()
    gc.enable()
    if serves:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        check_ready(app)
        if "worker" not in sys.modules:  # worker.Worker starts it in each process of the server
            background.start(app)
except START_FAULTS as err:
    print(as_called(str(err)), file=sys.stderr)
    # For gunicorn, 3 means "cannot start": it does not retry.
    sys.exit(1 if command else 3)
