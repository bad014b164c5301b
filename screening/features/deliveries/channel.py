"""The base of all channels: the document that is delivered, secrets, and faults."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any

from pydantic import BeforeValidator

from screening.domain.assessment import Assessment, Screening
from screening.domain.rules import RuleBook, Severity
from screening.reports.summary import N_
from screening.services.jobs import JobFailed
from screening.settings import Flag, Options, setting
from screening.storage.private_files import KeyFault, read_private

JOB_PREFIX = "to "  # before the name of a channel: the kind of its jobs in the outbox
# For one delivery. With one more wait for the network it is less than the lease of its job.
SECONDS = 25.0
AGAIN = 0.5  # seconds until a connection that is still open is closed once more


class DeliveryFault(StrEnum):
    """The reasons for which a delivery fails."""

    UNREACHABLE = "unreachable"
    SLOW = "slow"
    CERTIFICATE = "certificate"
    SIGN_IN = "sign-in"
    REFUSED = "refused"
    NO_ROOM = "no-room"
    NOT_WRITABLE = "not-writable"
    FILE = "file"


REASONS: dict[str, str] = {
    DeliveryFault.UNREACHABLE: N_(
        "The receiving system cannot be reached. Is it switched on, and is its address correct?"
    ),
    DeliveryFault.SLOW: N_(
        "The receiving system took too long to answer. "
        "It may have received the summary all the same."
    ),
    DeliveryFault.CERTIFICATE: N_(
        "The receiving system could not prove its identity. Its certificate may have expired."
    ),
    DeliveryFault.SIGN_IN: N_("The receiving system rejects our name and password, or our token."),
    DeliveryFault.REFUSED: N_("The receiving system did not accept it."),
    DeliveryFault.NO_ROOM: N_("There is no space left in the folder."),
    DeliveryFault.NOT_WRITABLE: N_("The folder is missing or cannot be written to."),
    DeliveryFault.FILE: N_(
        "A file named in the settings is missing, damaged or readable by others."
    ),
}


class DeliveryFailed(JobFailed):
    """Raised where a delivery failed, or where nobody knows whether it failed.

    `fault` is a DeliveryFault; `detail` is a code or a file, nothing personal.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An edition of a summary: `number` counts its entries, 0 for what the patient has sent.

    `id` (a UUID) is the same however often this edition is delivered to this channel. `language` is
    the clinic's, `address` that of the screening's page, and `fhir_base` where the addresses of our
    FHIR definitions begin.
    """

    id: str
    number: int
    screening: Screening
    assessment: Assessment
    books: Mapping[str, RuleBook]
    pdf: bytes
    language: str
    address: str
    fhir_base: str


def _outcomes(raw: object) -> frozenset[Severity]:
    words = {severity.word: severity for severity in Severity}
    if not isinstance(raw, list) or not raw or not all(word in words for word in raw):
        raise ValueError(f"must be a list of some of {', '.join(words)}")
    return frozenset(words[word] for word in raw)


class Channel(Options):
    """The options of a channel.

    Files that they name are in the `instance` folder, or have an absolute path.
    """

    name: str
    instance: Path
    kind: str = setting(..., "email, folder or fhir_server")
    outcomes: Annotated[frozenset[Severity], BeforeValidator(_outcomes)] = setting(
        frozenset(Severity), "the outcomes of which summaries go there"
    )
    every_edition: Flag = setting(
        False, "whether they go again each time the clinic has added something"
    )

    @property
    def job(self) -> str:
        """Return the kind of its jobs in the outbox."""
        return JOB_PREFIX + self.name

    def deliver(self, document: Document, *, hand_over: bool) -> None:
        """Deliver a document; delivered twice, it arrives once. Raises DeliveryFailed.

        Without `hand_over`, do all but the last step, so that the channel fails as it would.
        """
        raise NotImplementedError

    def secret(self, file: str) -> str:
        """Return the secret in a file that only its owner may read, such as a password.

        Raises DeliveryFailed.
        """
        try:
            secret = read_private(self.instance / file).strip()
        except KeyFault as err:
            raise DeliveryFailed(DeliveryFault.FILE, str(self.instance / file)) from err
        if not secret.isprintable():  # a second line would become part of an error message
            raise DeliveryFailed(DeliveryFault.FILE, str(self.instance / file))
        return secret

    def trusting(self, file: str) -> ssl.SSLContext:
        """Return TLS that trusts the authorities in this file, or else those of the machine.

        Raises DeliveryFailed.
        """
        try:
            return ssl.create_default_context(cafile=str(self.instance / file) if file else None)
        except OSError as err:
            raise DeliveryFailed(DeliveryFault.FILE, str(self.instance / file)) from err


class OpenConnections(list[Any]):
    """The connections that are closed when the time is over; `over` tells whether it is.

    Each has a `sock`, which is None while it is not connected, and `close`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.over = Event()


@contextmanager
def in_time() -> Iterator[OpenConnections]:
    """Close the connections in the list when the time is over, even while data arrive.

    Raises DeliveryFailed for each error of the network.
    """
    connections = OpenConnections()
    done = Event()

    def close_all() -> None:
        if done.wait(SECONDS):
            return
        connections.over.set()
        # A socket can be missing for a moment, such as while TLS begins.
        while not done.wait(AGAIN):
            for connection in connections:
                with suppress(OSError):
                    if connection.sock is not None:
                        # Not the method of TLS, which frees its state while another thread reads.
                        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    Thread(target=close_all, daemon=True).start()
    try:
        yield connections
    except ssl.SSLCertVerificationError as err:
        raise DeliveryFailed(DeliveryFault.CERTIFICATE, str(err.verify_code)) from err
    except UnicodeEncodeError as err:  # a name, password or token that cannot be sent
        raise DeliveryFailed(DeliveryFault.FILE, type(err).__name__) from err
    except (OSError, HTTPException, UnicodeError) as err:
        slow = connections.over.is_set() or isinstance(err, TimeoutError)
        raise DeliveryFailed(
            DeliveryFault.SLOW if slow else DeliveryFault.UNREACHABLE, type(err).__name__
        ) from err
    finally:
        done.set()
        for connection in connections:
            connection.close()
