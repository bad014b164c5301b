"""Keys, sealed columns (AES-256-GCM) and blind indexes (HMAC-SHA-256)."""

import base64
import binascii
import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from screening.storage.private_files import KeyFault, read_private, write_private

KEY_BYTES = 32
_NONCE_BYTES = 12
NAME_BYTES = 64
SEALED = "sealed:"  # before a sealed name


class Keys:
    """The data keys by id, the id of the current one, and the index key. Each key has 32 bytes.

    The current key seals; the index key makes keyed hashes. Keys from a `file` follow it: after
    `flask rotate-key` every process seals with the new key. `written` is the file's modification
    time in nanoseconds.
    """

    def __init__(
        self,
        *,
        current: str,
        data: Mapping[str, bytes],
        index: bytes,
        file: Path | None = None,
        written: int = 0,
    ) -> None:
        self._sealing = (current, data)  # a single value, so that each thread sees both or neither
        self.index = index
        self.file = file
        self.written = written

    @property
    def current(self) -> str:
        """Return the id of the key that seals."""
        return self._sealing[0]

    @property
    def data(self) -> Mapping[str, bytes]:
        """Return the data keys by id."""
        return self._sealing[1]

    def __repr__(self) -> str:
        return f"Keys(current={self.current!r})"

    def follow(self) -> None:
        """Read the file again if it was replaced. Raises KeyFault."""
        if self.file is None or not self.file.exists():
            return
        if self.file.stat().st_mtime_ns != self.written:
            replaced = read_keys(self.file)
            self._sealing = replaced._sealing
            self.written = replaced.written

    def seal(self, plain: bytes, *, table: str, column: str, row: str) -> bytes:
        """Encrypt one cell, bound to its table, column and row.

        The result is `<key id>:`, a nonce of 12 bytes, and the ciphertext.
        """
        self.follow()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        current, data = self._sealing
        ciphertext = AESGCM(data[current]).encrypt(nonce, plain, _place(table, column, row))
        return current.encode() + b":" + nonce + ciphertext

    def unseal(self, sealed: bytes, *, table: str, column: str, row: str) -> bytes:
        """Decrypt one cell.

        Raises KeyFault for an unknown key, the bytes of another cell or a changed byte.
        """
        key_id, _, rest = sealed.partition(b":")
        name = key_id.decode(errors="replace")
        if name not in self.data:
            self.follow()
        key = self.data.get(name)
        if key is None:
            raise KeyFault(
                f"{table}.{column} is sealed with a key that {self.file} does not have; "
                "restore that file"
            )
        nonce = rest[:_NONCE_BYTES]
        try:
            return AESGCM(key).decrypt(nonce, rest[_NONCE_BYTES:], _place(table, column, row))
        except (InvalidTag, ValueError) as err:
            raise KeyFault(
                f"{table}.{column} cannot be opened: {self.file} is not the one it was sealed with "
                "(restore your copy), or the row was changed (restore a backup)"
            ) from err

    def seal_name(self, name: str, *, place: str) -> str:
        """Return a sealed name, the same for the same name and place, so that rows are found by it.

        All names of up to NAME_BYTES have the same length. The key follows from the index key, so
        that it outlasts `flask rotate-key`.
        """
        padded = name.encode().ljust(NAME_BYTES)
        return SEALED + base64.b85encode(self._names.encrypt(padded, [place.encode()])).decode()

    def unseal_name(self, stored: str, *, place: str) -> str:
        """Return the name in a sealed one; what was not sealed there is returned as it is."""
        if not stored.startswith(SEALED):
            return stored
        try:
            sealed = base64.b85decode(stored.removeprefix(SEALED))
            return self._names.decrypt(sealed, [place.encode()]).decode().rstrip()
        except (InvalidTag, ValueError):
            return stored

    @cached_property
    def _names(self) -> AESSIV:
        return AESSIV(self.authenticate("names", b""))

    def authenticate(self, purpose: str, content: bytes) -> bytes:
        """Return a keyed hash (32 bytes) of content, different for each purpose."""
        return hmac.new(self.index, purpose.encode() + b"\0" + content, hashlib.sha256).digest()


def _place(table: str, column: str, row: str) -> bytes:
    return f"{table}\0{column}\0{row}".encode()


def new_keys() -> Keys:
    """Return new random keys."""
    return Keys(
        current="k1",
        data={"k1": secrets.token_bytes(KEY_BYTES)},
        index=secrets.token_bytes(KEY_BYTES),
    )


def with_new_key(keys: Keys) -> Keys:
    """Return the keys with a new data key, which is the current one."""
    name = f"k{1 + max(int(key_id.removeprefix('k')) for key_id in keys.data)}"
    data = {**keys.data, name: secrets.token_bytes(KEY_BYTES)}
    return Keys(current=name, data=data, index=keys.index)


def only_current(keys: Keys) -> Keys:
    """Return the keys without the data keys that are no longer current."""
    data = {keys.current: keys.data[keys.current]}
    return Keys(current=keys.current, data=data, index=keys.index)


def write_keys(path: Path, keys: Keys, *, instead: bool = False) -> None:
    """Write a key file that only its owner can read.

    `instead` replaces an existing file. Raises FileExistsError without it.
    """
    lines = [
        "# Without this file no stored answer can be read again. "
        "Keep a copy of it apart from the database backups.",
        f'current = "{keys.current}"',
        f'index = "{base64.b64encode(keys.index).decode()}"',
        "[data]",
        *(f'{key_id} = "{base64.b64encode(key).decode()}"' for key_id, key in keys.data.items()),
    ]
    write_private(path, "\n".join(lines) + "\n", instead=instead)


def read_keys(path: Path) -> Keys:
    """Read a key file. Raises KeyFault if it is missing, invalid or readable by others."""
    written = path.stat().st_mtime_ns if path.exists() else 0
    text = read_private(
        path, "If there are screenings already, restore it from your copy: they need it. If not"
    )
    try:
        content = tomllib.loads(text)
        data = {key_id: _key(encoded) for key_id, encoded in content["data"].items()}
        keys = Keys(
            current=content["current"],
            data=data,
            index=_key(content["index"]),
            file=path,
            written=written,
        )
        if keys.current not in data:
            raise ValueError(f"it has no data key {keys.current!r}")
    except (KeyError, AttributeError, TypeError, ValueError) as err:
        raise KeyFault(f"{path} is damaged ({err}); restore it from your copy") from err
    return keys


def _key(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as err:
        raise ValueError("a key is not base64") from err
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key is not {KEY_BYTES} bytes long")
    return key
