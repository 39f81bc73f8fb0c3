"""Digest access authentication (:rfc:`7616`, for SIP :rfc:`3261#section-22` and :rfc:`8760`): the arithmetic.

`sipua.sip.digest_client` answers challenges with it, `sipua.sip.digest_server` makes and checks them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

__all__ = ["ALGORITHMS", "Algorithm", "Credentials", "digest_response", "find_algorithm"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A digest algorithm by its registered name. `session`: the ``-sess`` variant, whose key is per nonce."""

    name: str
    hash_name: str
    session: bool
    #: how many hexadecimal digits its results have
    length: int

    def digest(self, data: str | bytes) -> str:
        """The hash of `data`, text as UTF-8, in lower-case hexadecimal."""
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        return hashlib.new(self.hash_name, data, usedforsecurity=False).hexdigest()

    def ha1(self, username: str, realm: str, password: str) -> str:
        """The hash of user name, realm and password: what a server may store in place of the password."""
        return self.digest(f"{username}:{realm}:{password}")

    def userhash(self, username: str, realm: str) -> str:
        """The user name as it goes over the wire when it is to be hidden (:rfc:`7616#section-3.4.4`)."""
        return self.digest(f"{username}:{realm}")


def _available(hash_name: str) -> bool:
    try:
        hashlib.new(hash_name, usedforsecurity=False)
    except ValueError:
        return False
    return True


#: What can be computed here, by upper-case name. Some builds of OpenSSL lack SHA-512/256.
ALGORITHMS: Final[dict[str, Algorithm]] = {
    algorithm.name.upper(): algorithm
    for algorithm in (
        Algorithm(name + suffix, hash_name, bool(suffix), length)
        for name, hash_name, length in (
            ("MD5", "md5", 32),
            ("SHA-256", "sha256", 64),
            ("SHA-512-256", "sha512_256", 64),
        )
        for suffix in ("", "-sess")
        if _available(hash_name)
    )
}


def find_algorithm(name: str | None) -> Algorithm | None:
    """The algorithm called `name` in any case, MD5 for None; None when it is not known here."""
    return ALGORITHMS.get("MD5" if name is None else name.strip().upper())


def digest_response(
    algorithm: Algorithm,
    ha1: str,
    *,
    nonce: str,
    method: str,
    uri: str,
    qop: str | None = None,
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The ``response`` of credentials (:rfc:`7616#section-3.4.1`); without `qop` that of RFC 2069.

    `ha1` is `Algorithm.ha1`, for ``-sess`` algorithms too. `nc` has eight hexadecimal digits.
    """
    digest = algorithm.digest
    if algorithm.session:
        ha1 = digest(f"{ha1}:{nonce}:{cnonce}")
    ha2 = f"{method}:{uri}:{digest(body)}" if qop == "auth-int" else f"{method}:{uri}"
    if qop is None:
        return digest(f"{ha1}:{nonce}:{digest(ha2)}")
    return digest(f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{digest(ha2)}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to a server: a user name with a password or an HA1, or a token, or both.

    `ha1` is the hash of ``user:realm:password`` in hexadecimal; it serves the algorithm of its length (32
    digits: MD5, 64: SHA-256 or SHA-512-256) and, being made for one realm, needs `realm`. With `realm` no
    other realm's challenge is answered. `bearer` is a token for the Bearer scheme (:rfc:`8898`). Secrets are
    not in ``repr``.
    """

    username: str
    password: str | None = field(default=None, repr=False)
    ha1: str | None = field(default=None, repr=False)
    realm: str | None = None
    bearer: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.password is None and self.ha1 is None and self.bearer is None:
            raise ValueError("credentials need a password, an ha1 or a bearer token")
        if self.ha1 is not None and self.password is None and self.realm is None:
            raise ValueError("an ha1 is made for one realm: give the realm too")

    def ha1_for(self, algorithm: Algorithm, realm: str) -> str | None:
        """The HA1 for a challenge; None when these credentials are not for it."""
        if self.realm is not None and self.realm != realm:
            return None
        if self.password is not None:
            return algorithm.ha1(self.username, realm, self.password)
        if self.ha1 is not None and len(self.ha1) == algorithm.length:
            return self.ha1.lower()
        return None
