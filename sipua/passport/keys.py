"""ES256: ECDSA with P-256 and SHA-256, as JWS writes it (:rfc:`7518#section-3.4`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from os import PathLike

#: Bytes of each of the two numbers of a signature.
_SIZE = 32
_ECDSA = ec.ECDSA(hashes.SHA256())


def load_private_key(
    key: str | PathLike[str] | bytes, password: bytes | None = None
) -> ec.EllipticCurvePrivateKey:
    """A private key in PEM: the path of a file, or its content.

    :raises OSError: the file cannot be read.
    :raises ValueError: it holds no P-256 key, or the password is wrong.
    """
    data = key if isinstance(key, bytes) else Path(key).read_bytes()
    try:
        found = load_pem_private_key(data, password)
    except TypeError as error:  # a password is missing, or not needed
        raise ValueError(str(error)) from None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key, which ES256 needs")
    return found


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """The signature over `data`: 64 bytes."""
    r, s = utils.decode_dss_signature(key.sign(data, _ECDSA))
    return r.to_bytes(_SIZE, "big") + s.to_bytes(_SIZE, "big")


def is_signed(key: ec.EllipticCurvePublicKey, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is one over `data` by the owner of `key`."""
    if len(signature) != 2 * _SIZE:
        return False
    r, s = int.from_bytes(signature[:_SIZE], "big"), int.from_bytes(signature[_SIZE:], "big")
    try:
        key.verify(utils.encode_dss_signature(r, s), data, _ECDSA)
    except InvalidSignature:
        return False
    return True
