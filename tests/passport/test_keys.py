"""ES256: the example of RFC 7515, and keys of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sipua.passport import keys, token


def number(text: str) -> int:
    return int.from_bytes(token.decode(text), "big")


def test_example_of_jws() -> None:
    """RFC 7515 appendix A.3."""
    x, y = (
        number("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        number("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    )
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    data = (
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = token.decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    assert keys.is_signed(key, data, signature)
    assert not keys.is_signed(key, data + b"x", signature)
    assert not keys.is_signed(key, data, signature[:-1])
    assert not keys.is_signed(key, data, bytes(64))


def test_what_is_signed_holds(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    signature = keys.sign(keys.load_private_key(file), b"x")
    assert len(signature) == 64
    assert keys.is_signed(private.public_key(), b"x", signature)


def test_keys_of_other_kinds() -> None:
    for other in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(ValueError, match="not a P-256 key"):
            keys.load_private_key(pem)
    with pytest.raises(ValueError):
        keys.load_private_key(b"-----BEGIN")
    with pytest.raises(OSError):
        keys.load_private_key("/nowhere/key.pem")


def test_key_with_password() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    keys.load_private_key(pem, b"word")
    for wrong in (None, b"other"):
        with pytest.raises(ValueError):
            keys.load_private_key(pem, wrong)
