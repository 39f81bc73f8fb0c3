"""Who calls, vouched for: alice's calls are signed, and bob lets nobody else through.

python -m examples.identity ws://127.0.0.1:8080/      (alice and bob, password secret)

The keys and certificates are made here; in earnest an authority that others trust issues them, and they are on the Web.
"""

import asyncio
import datetime
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sipua import (
    UA,
    CallFailed,
    CertificateDirectory,
    IdentitySigner,
    IdentityVerifier,
    RTCSession,
    SignallingOnlyMedia,
)
from sipua.events import NewRTCSession

URL = "https://certs.example.com/alice.pem"


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signing_key: ec.EllipticCurvePrivateKey,
    domain: str = "",
) -> bytes:
    """A certificate in PEM: of an authority, or of who may speak for a domain."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=not domain, path_length=None), critical=True)
    )
    if domain:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
    return builder.sign(signing_key, hashes.SHA256()).public_bytes(Encoding.PEM)


def take(event: NewRTCSession) -> None:
    call: RTCSession = event.session
    check = call.remote_identity_check
    assert check.claims is not None
    print(f"{check.status}: {check.claims.orig.value}, says {check.certificate_subject}")
    print("nobody has changed the keys of the media" if check.covers_media else "the media may be anybody's")
    call.answer()


async def main(url: str, directory: Path) -> None:
    root_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("Authority", root_key, "Authority", root_key)
    (directory / "alice.pem").write_bytes(
        certificate("Localhost", own_key, "Authority", root_key, "localhost")
    )

    signer = IdentitySigner(own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), URL)
    verifier = IdentityVerifier(root, CertificateDirectory(directory), policy="require")
    async with (
        UA(
            "sip:alice@localhost",
            sockets=url,
            password="secret",
            media=SignallingOnlyMedia,
            identity_signer=signer,
        ) as alice,
        UA(
            "sip:bob@localhost",
            sockets=url,
            password="secret",
            media=SignallingOnlyMedia,
            identity_verifier=verifier,
        ) as bob,
    ):
        bob.on("new_rtc_session", take)
        async with alice.call("bob"):
            print("talking")
        try:
            await alice.call("bob", identity_signer=False).wait_confirmed()
        except CallFailed as error:
            print(f"without a signature: {error.status_code}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(sys.argv[1], Path(place)))
