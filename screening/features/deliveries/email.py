"""Delivery by e-mail over checked TLS: the PDF is attached, the mail names no patient."""

import smtplib
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from io import BytesIO
from typing import Annotated, Any
from uuid import uuid4

from pydantic import AfterValidator, Field

from screening.domain.mailbox import is_mailbox
from screening.features.deliveries.channel import (
    SECONDS,
    Channel,
    DeliveryFailed,
    DeliveryFault,
    Document,
    OpenConnections,
    in_time,
)
from screening.reports.templates import plain_text
from screening.settings import Number, setting

TLS = {"starttls": 587, "implicit": 465}


def _mailbox(address: str) -> str:
    if not is_mailbox(address):
        raise ValueError(f"{address!r} must be one address such as screening@clinic.example")
    return address


def _tls(kind: str) -> str:
    if kind not in TLS:
        raise ValueError("must be starttls or implicit; mail without TLS is not sent")
    return kind


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Email(Channel):
    """The mail server, the sender and the receiver."""

    host: Annotated[str, Field(min_length=1)] = setting(
        ..., "the mail server's name, as its certificate has it"
    )
    sender: Mailbox = setting(..., "the address that mails come from")
    to: Mailbox = setting(
        ..., "the one address that mails go to; for several, declare several channels"
    )
    tls: Annotated[str, AfterValidator(_tls)] = setting(
        "starttls", "starttls (port 587) or implicit (port 465)"
    )
    port: Annotated[Number, Field(ge=0, le=65535)] = setting(
        0, "the mail server's port; 0: as usual for its kind of TLS"
    )
    user: str = setting("", "the name to sign in with; empty: without")
    password_file: str = setting(
        "", "the file with the password, in the instance folder, mode 0600"
    )
    ca_file: str = setting(
        "", "the file with the authority that vouches for the server, if the machine knows it not"
    )
    pdf_password_file: str = setting(
        "", "the file with the password that PDFs are encrypted with; empty: they are not"
    )

    def deliver(self, document: Document, *, hand_over: bool) -> None:
        """Send the PDF, with a Message-ID that is the same when it is sent twice.

        Raises DeliveryFailed.
        """
        pdf = document.pdf
        if self.pdf_password_file:
            pdf = _encrypted(pdf, self.secret(self.pdf_password_file))
        words = plain_text(
            "deliveries/summary.txt", document.language, document=document, options=self
        )
        subject, _blank, text = words.partition("\n\n")
        at = document.screening.changed_at
        message = _message(self, self.to, subject, text, name=document.id, at=at)
        name = f"summary-{document.screening.reference}-{document.number + 1}.pdf"
        message.add_attachment(pdf, maintype="application", subtype="pdf", filename=name)
        _send(self, message, hand_over=hand_over)

    def send_text(self, to: str, subject: str, text: str, *, language: str) -> None:
        """Send a text in a language. Raises DeliveryFailed."""
        message = _message(self, to, subject, text, name=str(uuid4()), at=datetime.now(UTC))
        message["Content-Language"] = language
        _send(self, message)


def _message(
    options: Email, to: str, subject: str, text: str, *, name: str, at: datetime
) -> EmailMessage:
    """Return a message."""
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = options.sender
    message["To"] = to
    message["Message-ID"] = f"<{name}@{options.sender.rpartition('@')[2]}>"
    message["Date"] = at
    message.set_content(text)
    return message


def _send(options: Email, message: EmailMessage, *, hand_over: bool = True) -> None:
    """Send a message, or only ask the server whether it would take one. Raises DeliveryFailed."""
    context = options.trusting(options.ca_file)
    password = options.secret(options.password_file) if options.password_file else ""
    with in_time() as connections:
        try:
            server = _connected(options, context, connections)
            if options.tls == "starttls":
                server.starttls(context=context)
            if options.user:
                server.login(options.user, password)
            if hand_over:
                server.send_message(message)
            else:
                _ask(server, options.sender, str(message["To"]))
        except smtplib.SMTPResponseException as err:
            sign_in = isinstance(err, smtplib.SMTPAuthenticationError)
            raise DeliveryFailed(
                DeliveryFault.SIGN_IN if sign_in else DeliveryFault.REFUSED, str(err.smtp_code)
            ) from err
        except smtplib.SMTPRecipientsRefused as err:
            raise DeliveryFailed(
                DeliveryFault.REFUSED, str(err.recipients[str(message["To"])][0])
            ) from err
        except smtplib.SMTPException as err:
            if isinstance(err, smtplib.SMTPServerDisconnected):
                raise
            raise DeliveryFailed(DeliveryFault.REFUSED, "TLS or sign-in not offered") from err
        with suppress(OSError):  # the mail is accepted already
            server.quit()


def _ask(server: smtplib.SMTP, sender: str, to: str) -> None:
    """Begin a mail and take it back. Raises SMTPResponseException."""
    server.ehlo_or_helo_if_needed()
    for code, words in (server.mail(sender), server.rcpt(to), server.rset()):
        if code not in (250, 251):
            raise smtplib.SMTPResponseException(code, words)


class _Smtp(smtplib.SMTP):
    """A connection that can be closed from its first moment: a server may be slow to greet."""

    def __init__(self, connections: OpenConnections, *args: Any, **options: Any) -> None:
        connections.append(self)
        super().__init__(*args, **options)


class _SmtpOverTls(_Smtp, smtplib.SMTP_SSL):
    pass


def _connected(
    options: Email, context: ssl.SSLContext, connections: OpenConnections
) -> smtplib.SMTP:
    port = options.port or TLS[options.tls]
    ours = options.sender.rpartition("@")[2]
    if options.tls == "implicit":
        return _SmtpOverTls(connections, options.host, port, ours, timeout=SECONDS, context=context)
    return _Smtp(connections, options.host, port, ours, timeout=SECONDS)


def _encrypted(pdf: bytes, password: str) -> bytes:
    """Return a copy that needs the password; a signature is not valid in it."""
    # Few clinics encrypt, and this import is slow.
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    copy = copy_into_new_writer(PdfFileReader(BytesIO(pdf)))
    out = BytesIO()
    copy.encrypt(owner_pass=password, user_pass=password)  # type: ignore[no-untyped-call]
    copy.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()
