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

    def deliver(self, document: Document) -> None:
        """Create the questions, the answers, the findings and the PDF, all or none.

        Raises DeliveryFailed.
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
            status, answer = _post(self, bundle, headers, connections)
            # The server has these questions twice: two screenings were delivered at once.
            if status == 412:
                del bundle["entry"][0]
                status, answer = _post(self, bundle, headers, connections)
        if status in (401, 403):
            raise DeliveryFailed(DeliveryFault.SIGN_IN, str(status))
        if status != 200 or not _all_there(answer, len(bundle["entry"])):
            raise DeliveryFailed(DeliveryFault.REFUSED, str(status))


def _post(
    options: FhirServer, bundle: Json, headers: dict[str, str], connections: OpenConnections
) -> tuple[int, bytes]:
    """Send it once, without following redirects: data goes only where the settings say."""
    parts = urlsplit(options.address)
    connection = HTTPSConnection(
        parts.hostname or "", parts.port, timeout=SECONDS, context=options.trusting(options.ca_file)
    )
    connection.connect()
    # The socket itself: http.client forgets it before the answer is read to its end.
    connections.append(SimpleNamespace(sock=connection.sock, close=connection.sock.close))
    connection.request(
        "POST", parts.path or "/", json.dumps(bundle, ensure_ascii=False).encode(), headers
    )
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
