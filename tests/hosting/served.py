"""The server as screening.service starts it: command, environment, socket passed on, confined."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.server import ROOT, LiveServer, ended_afterwards, environment, flask
from tests.hosting.site import Site, nobody
from tests.hosting.units import Unit

CONFINED = (sys.executable, "-m", "tests.hosting.confined")


def unit_environment(unit: Unit, folder: Path) -> dict[str, str]:
    """Return the environment of a unit, with other paths."""
    text = unit.value("Environment").replace("/var/lib/screening", f"{folder}/instance")
    return dict(
        word.split("=", 1)
        for word in text.replace("/var/cache/screening", f"{folder}/cache").split()
    )


@contextmanager
def served_behind(site: Site, folder: Path) -> Iterator[LiveServer]:
    """Prepare an instance in `folder`, and serve it for this site on a Unix socket."""
    unit = Unit.read("screening.service")
    instance = folder / "instance"
    log = folder / "gunicorn.log"
    path = site.home / "screening.sock"
    environ = environment(instance, SCREENING_PUBLIC_URL=site.url, SCREENING_PROXIES="1")
    environ |= unit_environment(unit, folder)
    flask(environ, "init")
    command = unit.command("ExecStart", ("/opt/screening/.venv/bin/python", sys.executable))
    with socket.socket(socket.AF_UNIX) as listener, log.open("wb") as printed:
        listener.bind(str(path))
        listener.listen()
        path.chmod(int(Unit.read("screening.socket").value("SocketMode"), 8))
        if user := nobody():
            shutil.chown(path, user)
        process = subprocess.Popen(
            [*CONFINED, unit.name, str(listener.fileno()), *command],
            cwd=ROOT,
            env=environ,
            stdout=printed,
            stderr=printed,
            pass_fds=[listener.fileno()],
        )
    with ended_afterwards(process):
        try:
            yield LiveServer(url=site.url, instance=instance, log=log)
        except BaseException as err:
            err.add_note(f"The server wrote:\n{log.read_text(encoding='utf-8')}")
            raise
