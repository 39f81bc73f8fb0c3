"""Vouching for who calls: the Identity header field of an INVITE (:rfc:`8224#section-6.1`)."""

from __future__ import annotations

import email.utils
import time
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError
from sipua.passport import keys, token
from sipua.passport.canonical import party_of
from sipua.passport.field import IdentityField

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from sipua.sip import URI, Request


class IdentitySigner:
    """Signs INVITEs over caller, callee, time and DTLS fingerprints; for ``identity_signer=`` of `UA` and `UA.call`.

    The caller is who P-Asserted-Identity says, else From. An INVITE without an offer has no fingerprints to be signed.

    :param key: the private key (P-256): the path of a PEM file, or its content.
    :param certificate_url: the https URL where others find the certificate.
    :param password: of the key.
    :param compact: send the signature only (:rfc:`8225#section-7`): shorter, and void when somebody on the way changes
        From, To, Date or fingerprints. After a 438 the call is tried once more in full form.
    :param clock: the time, in seconds since 1970.
    :raises ConfigurationError: a key that cannot be read or is of another kind, or no https URL.
    """

    def __init__(
        self,
        key: str | PathLike[str] | bytes,
        certificate_url: str,
        *,
        password: bytes | None = None,
        compact: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            self._key = keys.load_private_key(key, password)
        except (OSError, ValueError) as error:
            shown = "…" if isinstance(key, bytes) else str(key)
            raise ConfigurationError("key", shown, str(error)) from None
        if not _is_https(certificate_url):
            raise ConfigurationError("certificate_url", certificate_url, "not an https URL")
        self.certificate_url = certificate_url
        """Where others find the certificate."""
        self._compact = compact
        self._clock = clock

    def sign(self, request: Request, sdp: str, *, full: bool = False) -> tuple[tuple[str, str], ...]:
        """The Date and Identity header fields for `request`, whose session description is `sdp`."""
        now = int(self._clock())
        claims = token.Claims(
            party_of(_caller(request)), (party_of(request.to_address.uri),), now, token.fingerprints_of(sdp)
        )
        signed = token.signing_input(self.certificate_url, claims)
        signature = token.encode(keys.sign(self._key, signed.encode()))
        text = f"..{signature}" if self._compact and not full else f"{signed}.{signature}"
        return (
            ("Date", email.utils.formatdate(now, usegmt=True)),
            ("Identity", str(IdentityField(text, self.certificate_url, token.ALGORITHM))),
        )


def _caller(request: Request) -> URI:
    asserted = request.p_asserted_identity
    return asserted[0].uri if asserted else request.from_address.uri


def _is_https(url: str) -> bool:
    return (
        url.lower().startswith("https://")
        and url.isascii()
        and url.isprintable()
        and not set(url) & set(' <>"')
    )
