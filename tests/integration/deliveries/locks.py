"""What is done with deliveries while others write: see test_locks.py."""

from __future__ import annotations

from screening.features.deliveries import service

VERBS = {"drop": (lambda things: service.drop(things.actor, "archive"), "dropped")}
SAME = (("drop", "view", "decide", "print", "take", "retry", "purge"),)
