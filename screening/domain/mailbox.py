"""Addresses to which mail can go."""

from email.utils import parseaddr

ADDRESS_LENGTH = 254


def is_mailbox(typed: str) -> bool:
    """Return whether the text is exactly one address to which mail can go."""
    name, address = parseaddr(typed)
    local, _at, domain = address.rpartition("@")
    plain = (
        typed.isascii()
        and typed.isprintable()
        and "=?" not in typed
        and not set(typed) & set(' ,;<>"()')
    )
    return (
        plain
        and not name
        and address == typed
        and bool(local and domain)
        and len(typed) <= ADDRESS_LENGTH
    )
