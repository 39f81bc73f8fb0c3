"""Certificates of a private authority, made for these tests."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificates:
    """`ca_file` is what clients trust; `server(name)` is the TLS context of a server with that certificate."""

    folder: Path
    ca_file: str

    def server(self, name: str = "localhost") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem")
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _make(folder, file, common_name, *, issuer=None, names=(), start=NOW - DAY, end=NOW + DAY):
    """Write a key and its certificate, signed by `issuer` (name and key) or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_name, issuer_key = issuer or (_name(common_name), key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{file}.pem").write_bytes(secret + pem)
    (folder / f"{file}.crt").write_bytes(pem)
    return _name(common_name), key


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca = _make(folder, "ca", "Test CA")
    here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    _make(folder, "localhost", "localhost", issuer=ca, names=here)
    _make(folder, "other", "sip.example.com", issuer=ca, names=[x509.DNSName("sip.example.com")])
    _make(folder, "expired", "localhost", issuer=ca, names=here, start=NOW - 3 * DAY, end=NOW - DAY)
    _make(folder, "future", "localhost", issuer=ca, names=here, start=NOW + DAY, end=NOW + 2 * DAY)
    _make(folder, "self", "localhost", names=here)
    return Certificates(folder, str(folder / "ca.crt"))
