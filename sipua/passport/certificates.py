"""Certificates for signed identity: reading them, whether they are trusted, and for whom they may speak."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from sipua.sip import URI, ParseError

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Sequence

    from sipua.passport.canonical import Party

#: Certificates between the signer's and the trust anchor, at most.
MAX_DEPTH = 8

#: For which telephone numbers a certificate may speak (:rfc:`8226#section-9`).
_TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
_SEQUENCE, _INTEGER = 0x30, 0x02
_SERVICE_PROVIDER, _RANGE, _ONE = 0xA0, 0xA1, 0xA2


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """The certificates in `data`: PEM, one or more, or one in DER.

    :raises ValueError: there is none.
    """
    if b"-----BEGIN" in data:
        return x509.load_pem_x509_certificates(data)
    return [x509.load_der_x509_certificate(data)]


def load_anchors(
    anchors: str | PathLike[str] | bytes | Sequence[x509.Certificate],
) -> list[x509.Certificate]:
    """Trust anchors: the path of a PEM file, its content, or certificates.

    :raises OSError: the file cannot be read.
    :raises ValueError: there is no certificate.
    """
    if isinstance(anchors, str | PathLike):
        anchors = Path(anchors).read_bytes()
    found = load_certificates(anchors) if isinstance(anchors, bytes) else list(anchors)
    if not found:
        raise ValueError("no certificate")
    return found


def check_trust(
    chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], when: datetime.datetime
) -> None:
    """Check that the first certificate of `chain` leads to one of `anchors` over the others, all of them in date.

    The Web's own rules, such as the names and key usages of servers, do not hold for these certificates.

    :raises ValueError: it does not.
    """
    store = verification.Store(list(anchors))
    authorities = verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority
    )
    authorities = authorities.may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _may_issue)
    builder = verification.PolicyBuilder().store(store).time(when).max_chain_depth(MAX_DEPTH)
    builder = builder.extension_policies(
        ca_policy=authorities, ee_policy=verification.ExtensionPolicy.permit_all()
    )
    try:
        builder.build_client_verifier().verify(chain[0], list(chain[1:]))
    except verification.VerificationError as error:
        raise ValueError(str(error).split(" (encountered")[0]) from None


def _is_authority(policy: object, certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("issued by a certificate that may not issue any")


def _may_issue(policy: object, certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("issued by a certificate that may not sign others")


def public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The key of a certificate.

    :raises ValueError: it is not for ES256, or not for signatures.
    """
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the certificate has no P-256 key")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return key
    if not usage.digital_signature:
        raise ValueError("the certificate is not for signatures")
    return key


def check_authority(certificate: x509.Certificate, caller: Party) -> None:
    """Check that the owner of `certificate` may say who `caller` is.

    For a telephone number there must be a TN Authorization List (:rfc:`8226`) that has it, or a service provider's
    code: which numbers a provider has is not in the certificate. For an address its domain must be a subject
    alternative name (:rfc:`5922#section-7.1`).

    :raises ValueError: he may not.
    """
    if caller.kind == "tn":
        if not any(_covers(entry, caller.value) for entry in _tn_entries(certificate)):
            raise ValueError(f"the certificate does not cover the number {caller.value}")
    elif (host := _host(caller.value)) is None or host not in _domains(certificate):
        raise ValueError(f"the certificate is not for the domain of {caller.value}")


def _host(uri: str) -> str | None:
    try:
        return URI.parse(uri).host.lower() or None
    except ParseError:
        return None


def _domains(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    domains = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    for value in names.get_values_for_type(x509.UniformResourceIdentifier):
        scheme, _, host = value.partition(":")
        if scheme.lower() in ("sip", "sips") and "@" not in host:
            domains.add(host.lower())
    return domains


# --- TN Authorization List -------------------------------------------------------------------------------


def _tn_entries(certificate: x509.Certificate) -> list[tuple[int, bytes]]:
    try:
        extension = certificate.extensions.get_extension_for_oid(_TN_AUTH_LIST).value
    except x509.ExtensionNotFound:
        raise ValueError("the certificate is not for telephone numbers") from None
    assert isinstance(extension, x509.UnrecognizedExtension)
    outer = list(_der(extension.value))
    if len(outer) != 1 or outer[0][0] != _SEQUENCE:
        raise ValueError("a TN Authorization List that cannot be read")
    return list(_der(outer[0][1]))


def _covers(entry: tuple[int, bytes], number: str) -> bool:
    tag, content = entry
    if tag == _SERVICE_PROVIDER:
        return True
    inner = list(_der(content))
    if tag == _ONE and inner:
        return inner[0][1].decode("ascii", "replace") == number
    if tag == _RANGE and inner and inner[0][0] == _SEQUENCE:
        parts = list(_der(inner[0][1]))
        if len(parts) == 2 and parts[1][0] == _INTEGER:
            first = parts[0][1].decode("ascii", "replace")
            count = int.from_bytes(parts[1][1], "big")
            both_numbers = first.isdecimal() and number.isdecimal() and len(first) == len(number)
            return both_numbers and int(first) <= int(number) < int(first) + count
    return False


def _der(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The values one after the other in `data`: tag and content, of definite length (X.690 §8.1)."""
    at = 0
    while at < len(data):
        if len(data) < at + 2:
            raise ValueError("a value that is cut off")
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if len(data) < at + length:
            raise ValueError("a value that is cut off")
        yield tag, data[at : at + length]
        at += length
