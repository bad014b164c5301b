"""The settings of the server, for benchmarks: `--config python:benchmarks.hooks`."""

import runpy

globals().update(runpy.run_path("gunicorn.conf.py"))


def post_worker_init(worker: object) -> None:
    """Report on standard output that a worker is ready."""
    del worker
    print("ready", flush=True)
