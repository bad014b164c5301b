"""The clinic's signature on a PDF: PAdES B-B, with a key of its own or one that an authority has certified."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.printing.conformance import SIGNATURE_FIELD

# Certificates and pyHanko are imported where they are used: most processes never sign.
if TYPE_CHECKING:
    from cryptography import x509

VALID = timedelta(days=5 * 365)
# bytes: what is signed, a name and the largest usual signature take some hundred each
BESIDE_CERTIFICATES = 2048


class CannotSign(Exception):
    """The signing key or its certificate cannot be used. Says what to do."""


@dataclass(frozen=True)
class Signature:
    """Signs with what a PEM file holds: one private key, its certificate, and those above it, in that order."""

    pem: bytes = field(repr=False)
    file: Path = Path("signing.pem")

    def sign(self, pdf: bytes) -> bytes:
        """The PDF with a signature after which nothing may be changed. Raises CannotSign."""
        writer_of, signer, space = self._tools
        # pyHanko runs an event loop, which a thread cannot that runs one already: it gets a thread
        # of its own.
        with ThreadPoolExecutor(1) as thread:
            signing = thread.submit(
                signer.sign_pdf,
                writer_of(BytesIO(pdf)),
                existing_fields_only=True,
                bytes_reserved=space,
            )
            output: bytes = signing.result().getvalue()
        return output

    @cached_property
    def certificate(self) -> "x509.Certificate":
        """The certificate of the key. Raises CannotSign."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            certificate = x509.load_pem_x509_certificates(self.pem)[0]
            key = load_pem_private_key(self.pem, password=None)
        except (ValueError, TypeError, IndexError) as err:
            raise CannotSign(
                f"{self.file} must hold a private key without a password and then its certificate, both as PEM"
            ) from err
        if key.public_key() != certificate.public_key():
            raise CannotSign(f"the first certificate in {self.file} is not that of its private key")
        return certificate

    @property
    def described(self) -> str:
        """Whose certificate it is, until when it holds, and its fingerprint. Raises CannotSign."""
        from cryptography.hazmat.primitives.hashes import SHA256

        one = self.certificate
        return (
            f"{one.subject.rfc4514_string()}, valid until {one.not_valid_after_utc:%Y-%m-%d}, "
            f"SHA-256 {one.fingerprint(SHA256()).hex(':')}"
        )

    @cached_property
    def _tools(self) -> Any:
        _ = self.certificate  # says what is wrong with the file, if anything is
        from pyhanko.keys import load_certs_from_pemder_data, load_private_key_from_pemder_data
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
        from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        class Writer(IncrementalPdfFileWriter):
            """Leaves the metadata as they are: what names the standards in them must not be written anew."""

            def _update_meta(self) -> None:
                pass

        certificate, *above = load_certs_from_pemder_data(self.pem)
        signer = SimpleSigner(
            signing_cert=certificate,
            signing_key=load_private_key_from_pemder_data(self.pem, None),
            cert_registry=SimpleCertificateStore.from_certs(above),  # type: ignore[no-untyped-call]
        )
        what = PdfSignatureMetadata(
            field_name=SIGNATURE_FIELD,
            subfilter=SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            md_algorithm="sha256",
        )
        # Room for the signature as hexadecimal digits; without this, pyHanko signs twice to find
        # out.
        space = 2 * (BESIDE_CERTIFICATES + sum(len(one.dump()) for one in (certificate, *above)))
        return Writer, PdfSigner(what, signer), space


def new_key(clinic: str, *, now: datetime) -> str:
    """A new P-256 key with a certificate that it signed itself, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, clinic[:64])])
    not_for = "key_encipherment data_encipherment key_agreement key_cert_sign crl_sign encipher_only decipher_only"
    uses = dict.fromkeys(not_for.split(), False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, content_commitment=True, **uses), critical=True
        )
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (private + certificate.public_bytes(Encoding.PEM)).decode()
