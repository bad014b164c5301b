"""What gunicorn calls while it serves for a measure: `--config python:benchmarks.hooks`."""


def post_worker_init(worker: object) -> None:
    """Say on standard output that one more worker is ready."""
    del worker
    print("ready", flush=True)
