"""Delivery to a FHIR R4 server: one transaction, which creates nothing twice."""

import json
from http.client import HTTPSConnection
from types import SimpleNamespace
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from screening.features.deliveries.channel import (
    SECONDS,
    Channel,
    DeliveryFailed,
    DeliveryFault,
    Document,
    OpenConnections,
    in_time,
)
from screening.reports import fhir
from screening.reports.fhir_definitions import MEDIA_TYPE, Json
from screening.settings import setting

LONGEST = 10 * 1024 * 1024  # bytes of an answer


def _address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
        raise ValueError(f"{address!r} must be like https://records.clinic.example/fhir")
    return address.rstrip("/")


class FhirServer(Channel):
    """The server and its token."""

    address: Annotated[str, AfterValidator(_address)] = setting(
        ..., "the base address of the server, by https"
    )
    token_file: str = setting(
        "", "the file with the bearer token, in the instance folder, mode 0600; empty: none"
    )
    ca_file: str = setting(
        "", "the file with the authority that vouches for the server, if the machine knows it not"
    )

    def deliver(self, document: Document, *, hand_over: bool) -> None:
        """Create the questions, the answers, the findings and the PDF, all or none.

        Without `hand_over`, only ask what the server can do. Raises DeliveryFailed.
        """
        bundle = fhir.transaction(
            document.screening,
            document.assessment,
            document.books,
            base=document.fhir_base,
            pdf=document.pdf,
            name=document.id,
        )
        headers = {"Content-Type": f"{MEDIA_TYPE}; charset=utf-8", "Accept": MEDIA_TYPE}
        if self.token_file:
            headers["Authorization"] = f"Bearer {self.secret(self.token_file)}"
        with in_time() as connections:
            if not hand_over:
                _refuse(_ask(self, "GET", "/metadata", headers, connections)[0])
                return
            status, answer = _ask(self, "POST", "", headers, connections, bundle)
            # The server has these questions twice: two screenings were delivered at once.
            if status == 412:
                del bundle["entry"][0]
                status, answer = _ask(self, "POST", "", headers, connections, bundle)
        _refuse(status)
        if not _all_there(answer, len(bundle["entry"])):
            raise DeliveryFailed(DeliveryFault.REFUSED, str(status))


def _refuse(status: int) -> None:
    """Raise DeliveryFailed unless the server accepted a request."""
    if status in (401, 403):
        raise DeliveryFailed(DeliveryFault.SIGN_IN, str(status))
    if status != 200:
        raise DeliveryFailed(DeliveryFault.REFUSED, str(status))


def _ask(
    options: FhirServer,
    method: str,
    path: str,
    headers: dict[str, str],
    connections: OpenConnections,
    bundle: Json | None = None,
) -> tuple[int, bytes]:
    """Send a request once, without following redirects: data goes only where the settings say."""
    parts = urlsplit(options.address)
    connection = HTTPSConnection(
        parts.hostname or "", parts.port, timeout=SECONDS, context=options.trusting(options.ca_file)
    )
    connection.connect()
    # The socket itself: http.client forgets it before the answer is read to its end.
    connections.append(SimpleNamespace(sock=connection.sock, close=connection.sock.close))
    body = None if bundle is None else json.dumps(bundle, ensure_ascii=False).encode()
    connection.request(method, f"{parts.path}{path}" or "/", body, headers)
    with connection.getresponse() as response:
        answer = response.read(LONGEST)
        if connections.over.is_set():  # the answer is not complete
            raise TimeoutError
        return response.status, answer


def _all_there(answer: bytes, count: int) -> bool:
    """Tell whether the server created each entry, or had it already."""
    try:
        entries = json.loads(answer)["entry"]
        statuses = [str(entry["response"]["status"]) for entry in entries]
    except (ValueError, TypeError, KeyError):
        return False
    return len(statuses) == count and all(status.startswith(("200", "201")) for status in statuses)
