"""An authority for tests: keys and certificates for signed identity."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = 1_700_000_000
TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")


def der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def one_number(number: str) -> bytes:
    return der(0xA2, der(0x16, number.encode()))


def number_range(first: str, count: int) -> bytes:
    return der(0xA1, der(0x30, der(0x16, first.encode()) + der(0x02, count.to_bytes(2, "big"))))


def provider(code: str) -> bytes:
    return der(0xA0, der(0x16, code.encode()))


def numbers(*entries: bytes) -> x509.UnrecognizedExtension:
    """A TN Authorization List."""
    return x509.UnrecognizedExtension(TN_AUTH_LIST, der(0x30, b"".join(entries)))


def domain(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


class Holder:
    """Somebody with a key and a certificate."""

    def __init__(
        self,
        name: str,
        *extensions: x509.ExtensionType,
        issuer: Holder | None = None,
        ca: bool = False,
        start: float = NOW - 86400,
        days: float = 30,
        curve: ec.EllipticCurve | None = None,
    ) -> None:
        self.key = ec.generate_private_key(curve or ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = datetime.datetime.fromtimestamp(start, datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        self.certificate = builder.sign((issuer or self).key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
