"""Servers that receive summaries, on loopback: a mail and a strict FHIR server, with TLS."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fhir_validators import fhir_faults

PASSWORD = "a password for peers"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 in `file`, with its private key in `key`."""

    file: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, name: str, *, ended: bool = False) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        begin = datetime.now(UTC) - timedelta(days=30)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=10 if ended else 60))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        certificate = cls(folder / f"{name}.pem", folder / f"{name}.key")
        certificate.file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        certificate.key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        )
        return certificate

    @property
    def context(self) -> ssl.SSLContext:
        """What a server shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


@dataclass
class MailServer:
    """A mail server that wants TLS and a password.

    It answers to DATA as `answers` say, one by one, then accepts.
    """

    certificate: Certificate
    starttls: bool = True
    answers: list[str] = field(default_factory=list)
    delay: float = 0.0  # seconds before it answers to DATA
    raw: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        """What was accepted."""
        return [message_from_bytes(message, policy=policy.default) for message in self.raw]  # type: ignore[misc]

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        await asyncio.sleep(self.delay)
        answer = self.answers.pop(0) if self.answers else "250 accepted"
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
        return answer

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        """Listen on a free port."""

        def signed_in(
            _server: object, _session: object, _envelope: object, _how: str, data: object
        ) -> AuthResult:
            right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
            return AuthResult(success=right, handled=False)

        tls = (
            {"tls_context": self.certificate.context, "require_starttls": True}
            if self.starttls
            else {}
        )
        controller = Controller(
            self,
            hostname="127.0.0.1",
            port=_free_port(),
            ssl_context=None if self.starttls else self.certificate.context,
            authenticator=signed_in,
            auth_required=self.starttls,
            ident="test",
            **tls,
        )
        controller.start()
        self.port = controller.port
        try:
            yield self
        finally:
            controller.stop()


class FhirServer:
    """A server that takes transactions by the letter of R4 and creates nothing twice."""

    def __init__(self, certificate: Certificate) -> None:
        self.certificate = certificate
        self.resources: list[dict[str, Any]] = []
        self.refuse: list[int] = []  # statuses for the next requests
        self.faults: list[str] = []
        self.asked = 0
        self.address = ""
        self._lock = threading.Lock()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The resources of a type."""
        return [resource for resource in self.resources if resource["resourceType"] == kind]

    @contextmanager
    def running(self) -> Iterator[FhirServer]:
        """Listen on a free port."""
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with ours._lock:
                    status, answer = ours._answer(self.path, dict(self.headers), body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/fhir+json")
                if status in (301, 307):
                    self.send_header("Location", "https://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = self.certificate.context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        self.address = f"https://127.0.0.1:{server.server_port}/fhir"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _answer(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        if self.refuse:
            return self.refuse.pop(0), {"resourceType": "OperationOutcome"}
        if headers.get("Authorization") != f"Bearer {PASSWORD}":
            return 401, {"resourceType": "OperationOutcome"}
        if path == "/fhir/metadata":
            return 200, {"resourceType": "CapabilityStatement"}
        try:
            entries = self._read(path, headers, json.loads(body))
        except (AssertionError, KeyError, ValueError) as err:
            self.faults.append(f"{type(err).__name__} {err}")
            return 422, {"resourceType": "OperationOutcome"}
        statuses = []
        matches = []
        for entry in entries:
            criteria = parse_qs(entry["request"]["ifNoneExist"], strict_parsing=True)
            matches.append(
                [
                    resource
                    for resource in self.of(entry["resource"]["resourceType"])
                    if _is_found(resource, criteria)
                ]
            )
        if any(len(there) > 1 for there in matches):
            return 412, {"resourceType": "OperationOutcome"}
        for entry, there in zip(entries, matches, strict=True):
            if not there:
                self.resources.append(entry["resource"])
            statuses.append({"response": {"status": "200 OK" if there else "201 Created"}})
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": statuses}

    def _read(
        self, path: str, headers: dict[str, str], bundle: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The entries of a transaction that is right in every way."""
        assert path == "/fhir", path
        assert headers["Content-Type"].startswith("application/fhir+json")
        assert fhir_faults(bundle) == []
        assert bundle["type"] == "transaction"
        addresses = [entry["fullUrl"] for entry in bundle["entry"]]
        assert len(set(addresses)) == len(addresses)
        for entry in bundle["entry"]:
            resource = entry["resource"]
            assert entry["request"] == {
                "method": "POST",
                "url": resource["resourceType"],
                "ifNoneExist": entry["request"]["ifNoneExist"],
            }
            criteria = parse_qs(entry["request"]["ifNoneExist"], strict_parsing=True)
            assert _is_found(resource, criteria), "else it would be created again"
            contained = {f"#{inner['id']}" for inner in resource.get("contained", [])}
            for reference in _references(resource):
                assert reference in contained or reference in addresses, reference
            referenced = {inner for inner in _references(resource) if inner.startswith("#")}
            assert contained == referenced, "else R4 forbids it"
            if resource["resourceType"] == "QuestionnaireResponse":
                url, _, version = resource["questionnaire"].partition("|")
                added = [other["resource"] for other in bundle["entry"]]
                known = [*self.of("Questionnaire"), *added]
                assert [
                    definition
                    for definition in known
                    if (definition.get("url"), definition.get("version")) == (url, version)
                ], url
        return bundle["entry"]


def _is_found(resource: dict[str, Any], criteria: dict[str, list[str]]) -> bool:
    """Whether a search by these finds the resource."""
    if "identifier" in criteria:
        (criterion,) = criteria["identifier"]
        return tuple(criterion.split("|")) in _identifiers(resource)
    assert set(criteria) == {"url", "version"}, criteria
    return all([resource.get(name)] == value for name, value in criteria.items())


def _identifiers(resource: dict[str, Any]) -> set[tuple[str, str]]:
    identifiers = resource.get("identifier", [])
    return {
        (identifier["system"], identifier["value"])
        for identifier in (identifiers if isinstance(identifiers, list) else [identifiers])
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def pdf_of(document: dict[str, Any]) -> bytes:
    """The PDF in a DocumentReference."""
    return base64.b64decode(document["content"][0]["attachment"]["data"])


def wait_for(what: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def drip(
    words: bytes, seconds: float = 10, *, begin: bytes = b"", tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Yield the port of a server that sends `begin`, then repeats `words` without end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            with (
                suppress(OSError),
                listener.accept()[0] as plain,
                tls.wrap_socket(plain, True) if tls else plain as line,
            ):
                line.sendall(begin)
                for _ in range(int(seconds / 0.1)):
                    line.sendall(words)
                    time.sleep(0.1)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
    thread.join()
