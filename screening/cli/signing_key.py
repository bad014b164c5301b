"""`flask signing-key`: create and show the key that signs PDFs."""

from datetime import UTC, datetime

import click

from screening.cli.common import commands, fail
from screening.installation import current_installation
from screening.printing.signature import new_key
from screening.storage.private_files import write_private


@commands.group("signing-key")
def signing_key() -> None:
    """Create or show the key that signs PDFs, in signing.pem in the instance folder."""


@signing_key.command("create")
def signing_key_create() -> None:
    """Make a key (EC P-256) with a self-signed certificate.

    From then on each PDF is signed.

    To use a certificate of an authority instead, write its key and then its certificates into
    signing.pem (mode 0600).
    """
    installation = current_installation()
    try:
        write_private(
            installation.signing_file,
            new_key(installation.settings.clinic_name, now=datetime.now(UTC)),
        )
    except FileExistsError:
        fail(
            f"{installation.signing_file} is there already and stays; "
            "move it away first if you want a new one"
        )
    except OSError as err:
        fail(
            f"{installation.signing_file} cannot be written: {err.strerror}; run `flask init` first"
        )
    click.get_current_context().invoke(signing_key_show)


@signing_key.command("show")
def signing_key_show() -> None:
    """Print the certificate's subject, last day and fingerprint, to compare with a PDF reader's."""
    signature = current_installation().signature
    if signature is None:
        fail("There is no key, PDFs are not signed; run: flask signing-key create")
    click.echo(signature.described)
