"""A device that keeps passkeys: what a browser and an authenticator do together."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT = 0x01
VERIFIED = 0x04
ATTESTED = 0x40


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class Device:
    """It keeps one passkey. Without `verifies`, it asks for neither fingerprint, face nor PIN."""

    origin: str = "http://localhost"
    host: str = "localhost"
    verifies: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    handle: str = ""
    uses: int = 0

    def create(self, options: dict[str, Any]) -> str:
        """Make the passkey and return the answer."""
        assert options["rp"]["id"] == self.host
        self.handle = options["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + cbor2.dumps(cose)
        data = self._data(ATTESTED) + attested
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=encoded(self._asked("webauthn.create", options)),
            attestationObject=encoded(statement),
            transports=["internal"],
        )

    def get(self, options: dict[str, Any]) -> str:
        """Use the passkey and return the answer."""
        assert options["rpId"] == self.host
        self.uses += 1
        asked = self._asked("webauthn.get", options)
        data = self._data()
        signature = self.key.sign(data + hashlib.sha256(asked).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=encoded(asked),
            authenticatorData=encoded(data),
            signature=encoded(signature),
            userHandle=self.handle,
        )

    def _data(self, more: int = 0) -> bytes:
        flags = PRESENT | more | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.uses.to_bytes(4)

    def _asked(self, kind: str, options: dict[str, Any]) -> bytes:
        asked = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(asked).encode()

    def _answer(self, **response: object) -> str:
        id_ = encoded(self.id)
        return json.dumps(
            {
                "id": id_,
                "rawId": id_,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )
