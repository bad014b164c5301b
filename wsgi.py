"""The WSGI entry point: `gunicorn wsgi:app`. The `flask` command finds the application here too."""

import logging
import os
import sys

from screening import background, create_app
from screening.operating.readiness import START_FAULTS, check_ready
from screening.settings import as_called

# Commands such as `flask init` must run on an unprepared installation; `flask run` must not.
command = "FLASK_RUN_FROM_CLI" in os.environ
try:
    app = create_app()
    if not command or "run" in sys.argv[1:]:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        check_ready(app)
        background.start(app)
except START_FAULTS as err:
    print(as_called(str(err)), file=sys.stderr)
    # For gunicorn, 3 means "cannot start": it does not retry.
    sys.exit(1 if command else 3)
