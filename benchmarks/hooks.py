"""Hooks of gunicorn in benchmarks: `--config python:benchmarks.hooks`."""


def post_worker_init(worker: object) -> None:
    """Report on standard output that a worker is ready."""
    del worker
    print("ready", flush=True)
