"""What a certificate says, in words."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

__all__ = ["CertificateFacts", "read_certificate"]

UTC = datetime.UTC


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What matters of a server's certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """DNS names and addresses that it is for."""
    begins: datetime.datetime
    ends: datetime.datetime
    self_signed: bool

    def days_left(self, now: datetime.datetime | None = None) -> float:
        """Until it expires; negative when it has."""
        return (self.ends - (now or datetime.datetime.now(UTC))) / datetime.timedelta(days=1)

    def names_shown(self) -> str:
        """The first names, as text."""
        shown = ", ".join(self.names[:4]) or self.subject
        return f"{shown}, …" if len(self.names) > 4 else shown


def read_certificate(der: bytes) -> CertificateFacts:
    """Read it.

    :raises ValueError: it is none.
    """
    certificate = x509.load_der_x509_certificate(der)
    return CertificateFacts(
        _name(certificate.subject),
        _name(certificate.issuer),
        _names(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.subject == certificate.issuer,
    )


def _name(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return str(found[0].value)
    return name.rfc4514_string() or "nobody"


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    assert isinstance(found, x509.SubjectAlternativeName)
    names = [str(name) for name in found.get_values_for_type(x509.DNSName)]
    return (*names, *(str(address) for address in found.get_values_for_type(x509.IPAddress)))
