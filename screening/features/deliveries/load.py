"""The channels that the settings declare, in tables such as `[deliver.mail]`."""

import re
from collections.abc import Mapping
from functools import partial

from screening.features.deliveries.channel import Channel
from screening.features.deliveries.email import Email
from screening.features.deliveries.fhir_server import FhirServer
from screening.features.deliveries.folder import Folder
from screening.settings import FILE_NAME, InvalidSettings, Settings

KINDS: Mapping[object, type[Channel]] = {
    "email": Email,
    "folder": Folder,
    "fhir_server": FhirServer,
}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}")


def load_channels(settings: Settings) -> dict[str, Channel]:
    """Return the channels by their names. Raises InvalidSettings with every fault."""
    channels: dict[str, Channel] = {}
    faults: list[str] = []
    for name, table in settings.channels.items():
        place = f"{settings.instance / FILE_NAME}: [deliver.{name}]"
        kind = str(table.get("kind"))
        if not NAME.fullmatch(name):
            faults.append(f"{place}: a channel's name has up to 30 small letters, digits, - and _")
        if kind not in KINDS:
            faults.append(f"{place}: kind: must be one of {', '.join(map(str, KINDS))}")
            continue
        try:
            channels[name] = KINDS[kind].read(
                table, partial("{}: {}".format, place), name=name, instance=settings.instance
            )
        except InvalidSettings as err:
            faults += err.faults
    if faults:
        raise InvalidSettings(faults)
    return channels
