"""What calls and user agents know of signed identity; free of ``cryptography``."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from sipua.passport.token import Claims
    from sipua.sip import Request

#: Gives the certificate behind a URL, as PEM (with the chain behind it, if need be) or DER. It may be a coroutine
#: function; what it raises is the reason that the check gives.
CertificateSource = Callable[[str], bytes | Awaitable[bytes]]


class IdentityStatus(enum.StrEnum):
    """What became of a check."""

    NONE = "none"
    """Nobody vouches for the caller: there is no Identity header field."""
    VALID = "valid"
    INVALID = "invalid"
    """It is wrong: stale, tampered with, signed by somebody without authority. `IdentityCheck.reason` says which."""
    UNVERIFIABLE = "unverifiable"
    """It cannot be told here: no certificate, or an extension or algorithm that is not known."""


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """What is known of the signature over an INVITE (:rfc:`8224#section-6.2`)."""

    status: IdentityStatus
    reason: str = ""
    """Why it is not valid."""
    claims: Claims | None = None
    """What was signed. Believe it only when `is_valid`."""
    certificate_subject: str | None = None
    """Whose certificate it is, as an :rfc:`4514` name; as for `claims`."""
    refusal: tuple[int, str] | None = None
    """The status code and reason phrase that :rfc:`8224#section-6.2.2` has for it; None when it is valid."""

    @property
    def is_valid(self) -> bool:
        """Whether the signature holds for this INVITE, by somebody who is trusted to say so."""
        return self.status is IdentityStatus.VALID

    @property
    def covers_media(self) -> bool:
        """Whether the DTLS fingerprints of the offer are signed, too: nobody on the way can have changed them."""
        return self.is_valid and self.claims is not None and bool(self.claims.fingerprints)


#: There is no Identity header field.
NO_IDENTITY = IdentityCheck(
    IdentityStatus.NONE, "no Identity header field", refusal=(428, "Use Identity Header")
)
#: There is one, and nobody to look at it.
NO_SOURCE = IdentityCheck(
    IdentityStatus.UNVERIFIABLE, "no certificate source", refusal=(436, "Bad Identity Info")
)


class Signer(Protocol):
    """What signs outgoing INVITEs, such as `sipua.IdentitySigner`."""

    def sign(self, request: Request, sdp: str, *, full: bool = False) -> tuple[tuple[str, str], ...]:
        """The header fields that vouch for `request`; `sdp` is its session description, empty when there is none.

        Called each time that an INVITE goes out. They take the place of fields of the same name. With `full` nothing
        may be left out of the token: the peer could not do without.
        """


@runtime_checkable
class Verifier(Protocol):
    """What looks at incoming INVITEs, such as `sipua.IdentityVerifier`."""

    async def verify(self, request: Request, sdp: str) -> IdentityCheck:
        """Check a request that has an Identity header field. What it raises counts as unverifiable."""

    def refusal(self, check: IdentityCheck) -> tuple[int, str] | None:
        """The status code and reason phrase to refuse the call with after this check; None lets it pass."""
