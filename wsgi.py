"""The WSGI entry point: `gunicorn wsgi:app`. The `flask` command finds the application here too."""

import os
import sys

from screening import create_app
from screening.cli import START_FAULTS, check_ready

try:
    app = create_app()
    if "FLASK_RUN_FROM_CLI" not in os.environ:
        check_ready(app)
except START_FAULTS as err:
    print(err, file=sys.stderr)
    sys.exit(3)  # gunicorn takes 3 as "cannot start" and does not try again and again
