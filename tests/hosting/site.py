"""docs/deploy/nginx.conf with other ports and paths, served by a real nginx without privileges."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.browser.server import ended_afterwards
from tests.hosting.units import DEPLOY

NGINX = Path("/usr/sbin/nginx")
HOST = "127.0.0.1"
SECOND = "# server 10.77.0.2:8000"
MAIN = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {home}/pid;
error_log {home}/logs/main.log;
events {{ worker_connections 4096; }}
http {{
    include /etc/nginx/mime.types;
    {temporary}
    access_log {home}/logs/main-access.log;
    include {home}/site.conf;
}}
"""
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An nginx and its addresses. `key_hash` identifies its key to Chromium."""

    home: Path
    plain: socket.socket
    tls: socket.socket
    key_hash: str

    @property
    def certificate(self) -> Path:
        """Return the path of its certificate."""
        return self.home / "fullchain.pem"

    @property
    def url(self) -> str:
        """Return the address that patients open."""
        return f"https://{HOST}:{port(self.tls)}"

    @property
    def logs(self) -> str:
        """Return the content of all its logs."""
        return "\n".join(
            file.read_text(encoding="utf-8") for file in sorted((self.home / "logs").iterdir())
        )

    def connect(self, *, source: str = HOST) -> http.client.HTTPSConnection:
        """Return a connection from a local address that trusts this site's certificate alone."""
        trusting = ssl.create_default_context(cafile=str(self.certificate))
        return http.client.HTTPSConnection(
            HOST, port(self.tls), timeout=30, context=trusting, source_address=(source, 0)
        )

    def status(self, path: str, *, source: str = HOST) -> int:
        """Return the status of the answer to a request for a page."""
        with closing(self.connect(source=source)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status


@contextmanager
def prepared() -> Iterator[Site]:
    """Yield a folder for nginx without privileges, a certificate and two reserved ports."""
    home = Path(tempfile.mkdtemp(prefix="screening-nginx-"))
    try:
        for folder in ("logs", "temporary"):
            (home / folder).mkdir()
        with socket.create_server((HOST, 0)) as plain, socket.create_server((HOST, 0)) as tls:
            yield Site(home=home, plain=plain, tls=tls, key_hash=make_certificate(home))
    finally:
        shutil.rmtree(home)


def make_certificate(home: Path) -> str:
    """Write a key and a self-signed certificate, and return the hash of the key for Chromium."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A clinic")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (home / "fullchain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (home / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


@contextmanager
def running(site: Site, *machines: str) -> Iterator[None]:
    """Run nginx in front of one application machine, or of two."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    places = [
        ("listen [::]:80;", ""),
        ("listen [::]:443 ssl http2;", ""),
        ("listen 80;", f"listen {HOST}:{port(site.plain)};"),
        ("listen 443 ssl", f"listen {HOST}:{port(site.tls)} ssl"),
        ("server_name screening.clinic.example;", f"server_name {HOST};"),
        ("/etc/ssl/screening/", f"{site.home}/"),
        ("/var/log/nginx/", f"{site.home}/logs/"),
        ("/opt/screening/docs/deploy", str(site.home)),
        ("server unix:/run/screening.sock", f"server {machines[0]}"),
    ]
    for place, instead in [*places, *((SECOND, f"server {machine}") for machine in machines[1:])]:
        assert place in text, f"nginx.conf has no {place!r}"
        text = text.replace(place, instead)
    (site.home / "site.conf").write_text(text, encoding="utf-8")
    temporary = " ".join(f"{kind}_temp_path {site.home}/temporary/{kind};" for kind in KINDS)
    (site.home / "nginx.conf").write_text(
        MAIN.format(home=site.home, temporary=temporary), encoding="utf-8"
    )
    shutil.copy(DEPLOY / "unavailable.html", site.home)
    user = nobody()
    for path in (site.home, *site.home.rglob("*")):
        if user:
            shutil.chown(path, user)
    # nginx inherits the listening sockets, as from a former nginx: a new connection waits for it.
    sockets = [site.plain.fileno(), site.tls.fileno()]
    process = subprocess.Popen(
        [NGINX, "-e", "stderr", "-p", site.home, "-c", "nginx.conf"],
        user=user,
        cwd="/",
        env={"NGINX": "".join(f"{descriptor};" for descriptor in sockets)},
        pass_fds=sockets,
    )
    try:
        with ended_afterwards(process):
            yield
    except BaseException as err:
        err.add_note(f"nginx wrote:\n{site.logs}")
        raise


def port(listener: socket.socket) -> int:
    """Return the port of a listening socket."""
    number: int = listener.getsockname()[1]
    return number


def nobody() -> str | None:
    """Return the user of nginx for tests that run as root."""
    return pwd.getpwnam("www-data").pw_name if os.geteuid() == 0 else None
