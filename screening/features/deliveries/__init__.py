"""Delivery of summaries to other systems: each channel is a class with options and `deliver`."""

from collections.abc import Iterator
from functools import partial

from flask import Blueprint, Flask

from screening.extension_points import Check, Counter, JobKind
from screening.features.deliveries import service
from screening.features.deliveries.channel import REASONS, Channel
from screening.features.deliveries.email import Email
from screening.features.deliveries.load import load_channels
from screening.installation import Installation
from screening.settings import as_called


def init_app(app: Flask, ours: Installation) -> None:
    """Add the channels that the settings declare. Raises InvalidSettings."""
    channels = load_channels(ours.settings)
    app.extensions["deliveries"] = channels
    app.register_blueprint(Blueprint("deliveries", __name__, template_folder="templates"))
    app.jinja_env.filters["as_called"] = as_called
    points = ours.points
    points.job_kinds.extend(
        JobKind(
            kind=channel.job,
            label=channel.name,
            every_edition=channel.every_edition,
            work=partial(service.deliver_next, ours, channel),
        )
        for channel in channels.values()
    )
    points.reasons.update(REASONS)
    points.mailers.extend(channel for channel in channels.values() if isinstance(channel, Email))
    points.counters.append(
        Counter("deliveries", "deliveries done, also without their outcome", service.DONE)
    )
    points.checks.append(partial(_checked, channels))


def _checked(channels: dict[str, Channel]) -> Iterator[Check]:
    names = ", ".join(channels)
    words = f"to {names}; to try one: flask delivery test NAME" if names else "none is set up"
    yield Check(True, "deliveries", words)
