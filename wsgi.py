"""The WSGI entry point: `gunicorn wsgi:app`. The `flask` command finds the application here too."""

import gc
import logging
import os
import sys

gc.disable()  # what is imported stays: looking for garbage takes a tenth of the time to start
# ruff: noqa: E402
from screening.printing.renderer_process import current_renderer

command = "FLASK_RUN_FROM_CLI" in os.environ
if command and {"screen", "--pdf"} <= {*sys.argv}:
    current_renderer().begin()  # what prints loads beside what evaluates

from screening import background
from screening.application import create_app
from screening.operating.readiness import START_FAULTS, check_ready
from screening.settings import as_called

# Commands such as `flask init` must run where nothing is ready yet; `flask run` serves and must
# not.
try:
    app = create_app()
    gc.freeze()
    gc.enable()
    if not command or "run" in sys.argv[1:]:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        check_ready(app)
        background.start(app)
except START_FAULTS as err:
    print(as_called(str(err)), file=sys.stderr)
    # gunicorn takes 3 as "cannot start" and does not try again and again
    sys.exit(1 if command else 3)
