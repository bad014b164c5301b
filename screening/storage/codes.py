"""References of screenings, and the check codes of their printed summaries."""

import secrets
from textwrap import wrap

from screening.domain.assessment import Screening
from screening.storage import records
from screening.storage.encryption import Keys

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O or U


def new_reference() -> str:
    """Return a random reference such as `7F3K-9QWD` (40 bits)."""
    return "-".join(wrap("".join(secrets.choice(_ALPHABET) for _ in range(8)), 4))


def check_code(keys: Keys, screening: Screening) -> str:
    """Return a keyed hash of the content as a code such as `7F3K-9QWD-2MHX` (60 bits)."""
    origin = (screening.reference, screening.submitted_at, screening.digest)
    content = records.encode([*origin, screening.patient, screening.answers, screening.entries])
    bits = int.from_bytes(keys.authenticate("check-code", content)[:8]) >> 4
    return "-".join(wrap("".join(_ALPHABET[bits >> shift & 31] for shift in range(55, -1, -5)), 4))
