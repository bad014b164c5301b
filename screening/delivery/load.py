"""The channels that the settings declare, in tables such as `[deliver.mail]`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from screening.delivery import email, fhir_server, folder
from screening.delivery.channel import Document, Options
from screening.domain.rules import Severity
from screening.settings import FILE_NAME, InvalidSettings, Settings, flag, read_options, setting

KINDS: Mapping[str, tuple[type[Options], Callable[[Any, Document], None]]] = {
    "email": (email.Email, email.deliver),
    "folder": (folder.Folder, folder.deliver),
    "fhir_server": (fhir_server.FhirServer, fhir_server.deliver),
}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}")


def _outcomes(raw: object) -> frozenset[Severity]:
    words = {one.word: one for one in Severity}
    if not isinstance(raw, list) or not raw or not all(one in words for one in raw):
        raise ValueError(f"must be a list of some of {', '.join(words)}")
    return frozenset(words[one] for one in raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way for summaries out of the house."""

    name: str
    kind: str
    options: Options
    deliver: Callable[[Document], None]  # raises DeliveryFailed
    outcomes: frozenset[Severity] = setting(_outcomes, "the outcomes of which summaries go there", frozenset(Severity))
    every_edition: bool = setting(flag, "whether they go again each time the clinic has added something", False)

    @property
    def job(self) -> str:
        """What its jobs in the outbox are called."""
        return f"to {self.name}"


def load_channels(settings: Settings) -> dict[str, Channel]:
    """The channels by their names. Raises InvalidSettings with every fault."""
    found, faults = {}, []
    for name, table in settings.channels.items():
        try:
            found[name] = _channel(settings, name, dict(table))
        except InvalidSettings as err:
            faults += err.faults
    if faults:
        raise InvalidSettings(faults)
    return found


def _channel(settings: Settings, name: str, table: dict[str, object]) -> Channel:
    place, kind = f"{settings.instance / FILE_NAME}: [deliver.{name}]", table.pop("kind", None)
    if not NAME.fullmatch(name):
        raise InvalidSettings([f"{place}: a channel's name has up to 30 small letters, digits, - and _"])
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidSettings([f"{place}: kind: must be one of {', '.join(KINDS)}"])
    declared, deliver = KINDS[kind]
    common: dict[str, object] = {one: table.pop(one) for one in ("outcomes", "every_edition") if one in table}
    options = read_options(declared, table, place, instance=settings.instance)
    return read_options(
        Channel, common, place, name=name, kind=kind, options=options, deliver=partial(deliver, options)
    )
