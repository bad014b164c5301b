"""What each command is given: see test_damaged.py."""

WORDS: dict[str, tuple[str, ...] | None] = {
    "delivery drop": ("nowhere", "--yes"),
    "delivery list": None,
    "delivery test": ("archive",),
}
