"""What all channels share: the document that is delivered, where files and secrets are, and why it may fail."""

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
# for one delivery; with one more wait for the network, less than the lease of its job
SECONDS = 25.0
AGAIN = 0.5  # seconds until whatever still talks after that is hung up on once more


class DeliveryFault(StrEnum):
    """Why something could not be delivered."""

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
        "The receiving system took too long to answer. It may have received the summary all the same."
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
    """One edition of a summary: `number` is how many entries it has, 0 for what the patient has sent.

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
    words = {one.word: one for one in Severity}
    if not isinstance(raw, list) or not raw or not all(one in words for one in raw):
        raise ValueError(f"must be a list of some of {', '.join(words)}")
    return frozenset(words[one] for one in raw)


class Channel(Options):
    """A way for summaries out of the house.

    Files that it names are in the `instance` folder, or have a whole path.
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
        """What its jobs in the outbox are called."""
        return JOB_PREFIX + self.name

    def deliver(self, document: Document) -> None:
        """Bring it there; a second time makes no second one. Raises DeliveryFailed."""
        raise NotImplementedError

    def secret(self, file: str) -> str:
        """What a file holds that only its owner may read, such as a password: one line.

        Raises DeliveryFailed.
        """
        try:
            secret = read_private(self.instance / file).strip()
        except KeyFault as err:
            raise DeliveryFailed(DeliveryFault.FILE, str(self.instance / file)) from err
        if not secret.isprintable():  # a second line would end up in the words of an error
            raise DeliveryFailed(DeliveryFault.FILE, str(self.instance / file))
        return secret

    def trusting(self, file: str) -> ssl.SSLContext:
        """TLS with peers that an authority vouches for: one of this file, or else one that the machine knows.

        Raises DeliveryFailed.
        """
        try:
            return ssl.create_default_context(cafile=str(self.instance / file) if file else None)
        except OSError as err:
            raise DeliveryFailed(DeliveryFault.FILE, str(self.instance / file)) from err


class OpenConnections(list[Any]):
    """Whom to hang up on when the time is over, and whether it is.

    Each has a `sock`, which is None while there is no line, and `close` to end it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.over = Event()


@contextmanager
def in_time() -> Iterator[OpenConnections]:
    """Hang up on those that are put into the list when the time is over, however they are kept talking.

    Raises DeliveryFailed for all that can go wrong between two machines.
    """
    connections = OpenConnections()
    done = Event()

    def hang_up() -> None:
        if done.wait(SECONDS):
            return
        connections.over.set()
        # a socket may be in other hands for a moment, such as while TLS begins
        while not done.wait(AGAIN):
            for one in connections:
                with suppress(OSError):
                    if one.sock is not None:
                        # Not that of TLS, which would take itself apart while another thread reads.
                        socket.socket.shutdown(one.sock, socket.SHUT_RDWR)

    Thread(target=hang_up, daemon=True).start()
    try:
        yield connections
    except ssl.SSLCertVerificationError as err:
        raise DeliveryFailed(DeliveryFault.CERTIFICATE, str(err.verify_code)) from err
    except UnicodeEncodeError as err:  # a name, password or token that cannot be said on this line
        raise DeliveryFailed(DeliveryFault.FILE, type(err).__name__) from err
    except (OSError, HTTPException, UnicodeError) as err:
        slow = connections.over.is_set() or isinstance(err, TimeoutError)
        raise DeliveryFailed(
            DeliveryFault.SLOW if slow else DeliveryFault.UNREACHABLE, type(err).__name__
        ) from err
    finally:
        done.set()
        for one in connections:
            one.close()
