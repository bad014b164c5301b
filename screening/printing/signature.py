"""The clinic's signature on a PDF: PAdES B-B, by a self-signed or a certified key."""

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
# bytes: the signed attributes, a name and the largest usual signature take some hundred each
BESIDE_CERTIFICATES = 2048


class CannotSign(Exception):
    """The signing key or its certificate cannot be used. The message names the remedy."""


@dataclass(frozen=True)
class Signature:
    """A key to sign with, from a PEM file.

    The file holds one private key, its certificate and the certificates above it, in that order.
    """

    pem: bytes = field(repr=False)
    file: Path = Path("signing.pem")

    def sign(self, pdf: bytes) -> bytes:
        """Return the PDF with a signature that permits no later change. Raises CannotSign."""
        writer_of, signer, space = self._tools
        # pyHanko runs an event loop. This thread may run one already, and a thread runs only one.
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
        """Return the certificate of the key. Raises CannotSign."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            certificate = x509.load_pem_x509_certificates(self.pem)[0]
            key = load_pem_private_key(self.pem, password=None)
        except (ValueError, TypeError, IndexError) as err:
            raise CannotSign(
                f"{self.file} must hold a private key without a password "
                "and then its certificate, both as PEM"
            ) from err
        if key.public_key() != certificate.public_key():
            raise CannotSign(f"the first certificate in {self.file} is not that of its private key")
        return certificate

    @property
    def described(self) -> str:
        """Return the subject, last day and fingerprint of the certificate. Raises CannotSign."""
        from cryptography.hazmat.primitives.hashes import SHA256

        subject = self.certificate.subject.rfc4514_string()
        last_day = f"{self.certificate.not_valid_after_utc:%Y-%m-%d}"
        fingerprint = self.certificate.fingerprint(SHA256()).hex(":")
        return f"{subject}, valid until {last_day}, SHA-256 {fingerprint}"

    @cached_property
    def _tools(self) -> Any:
        _ = self.certificate  # raises CannotSign if the file is invalid
        from pyhanko.keys import load_certs_from_pemder_data, load_private_key_from_pemder_data
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
        from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        class Writer(IncrementalPdfFileWriter):
            """A writer that keeps the metadata: pyHanko's would no longer name the standards."""

            def _update_meta(self) -> None:
                pass

        certificate, *above = load_certs_from_pemder_data(self.pem)
        signer = SimpleSigner(
            signing_cert=certificate,
            signing_key=load_private_key_from_pemder_data(self.pem, None),
            cert_registry=SimpleCertificateStore.from_certs(above),  # type: ignore[no-untyped-call]
        )
        metadata = PdfSignatureMetadata(
            field_name=SIGNATURE_FIELD,
            subfilter=SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            md_algorithm="sha256",
        )
        # Space for the signature in hexadecimal digits; without it pyHanko signs twice to measure.
        certificates = sum(len(each.dump()) for each in (certificate, *above))
        space = 2 * (BESIDE_CERTIFICATES + certificates)
        return Writer, PdfSigner(metadata, signer), space


def new_key(clinic: str, *, now: datetime) -> str:
    """Return a new P-256 key with a self-signed certificate, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, clinic[:64])])
    other_uses = "key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    unused = dict.fromkeys([*other_uses.split(), "encipher_only", "decipher_only"], False)
    usage = x509.KeyUsage(digital_signature=True, content_commitment=True, **unused)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (private + certificate.public_bytes(Encoding.PEM)).decode()
