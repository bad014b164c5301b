"""The systemd units of docs/deploy, read as systemd reads them."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass

from tests.browser.server import ROOT

DEPLOY = ROOT / "docs" / "deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Each setting of a unit with its values in their order."""

    name: str
    settings: dict[str, list[str]]

    @classmethod
    def read(cls, name: str) -> Unit:
        """Read a unit of docs/deploy."""
        settings: dict[str, list[str]] = {}
        for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
            if "=" in line and not line.startswith("#"):
                setting, _, value = line.partition("=")
                settings.setdefault(setting, []).append(value)
        return cls(name=name, settings=settings)

    def value(self, setting: str) -> str:
        """Return the only value of a setting."""
        (value,) = self.settings[setting]
        return value

    def command(self, setting: str, *places: tuple[str, str]) -> list[str]:
        """Return the command that it starts, with other paths."""
        words = self.value(setting).replace("%%", "%")
        for place, instead in places:
            assert place in words, f"{self.name}: {setting} does not name {place}"
            words = words.replace(place, instead)
        return shlex.split(words)


def systemd_analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Check units with systemd-analyze, which needs no running systemd."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def system_calls(unit: Unit) -> set[str]:
    """Return the names of the system calls that a unit permits."""
    sets: dict[str, list[str]] = {}
    for line in systemd_analyze("syscall-filter").stdout.splitlines():
        if line.startswith("@"):
            sets[line] = listed = []
        elif line.startswith("    ") and not line.lstrip().startswith("#"):
            listed.append(line.strip())

    def named(words: str) -> set[str]:
        calls = set()
        for word in words.split():
            calls |= named(" ".join(sets[word])) if word.startswith("@") else {word}
        return calls

    permitted = named("@default")
    for value in unit.settings["SystemCallFilter"]:
        permitted = (
            permitted - named(value[1:]) if value.startswith("~") else permitted | named(value)
        )
    return permitted
