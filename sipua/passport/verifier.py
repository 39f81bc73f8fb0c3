"""Checking who calls (:rfc:`8224#section-6.2`)."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import logging
import time
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Literal, get_args

from sipua.errors import ConfigurationError
from sipua.passport import keys, token
from sipua.passport.canonical import Party, party_of
from sipua.passport.certificates import (
    check_authority,
    check_trust,
    load_anchors,
    load_certificates,
    public_key,
)
from sipua.passport.field import IdentityField
from sipua.passport.interface import NO_IDENTITY, NO_SOURCE, CertificateSource, IdentityCheck, IdentityStatus
from sipua.sip import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.x509 import Certificate

    from sipua.passport.token import Claims, Passport
    from sipua.sip import URI, Request

logger = logging.getLogger("sipua.passport")

Policy = Literal["report", "reject", "require"]

#: Identity header fields of one INVITE that are looked at.
MAX_FIELDS = 4
#: Bytes of a certificate with its chain.
MAX_CERTIFICATE = 64 * 1024

_STALE = (403, "Stale Date")
_NO_USE = (428, "Use Identity Header")
_BAD_INFO = (436, "Bad Identity Info")
_UNSUPPORTED = (437, "Unsupported Credential")
_INVALID = (438, "Invalid Identity Header")


class _Fault(Exception):
    """Why an Identity header field does not hold."""

    def __init__(
        self, reason: str, refusal: tuple[int, str], status: IdentityStatus = IdentityStatus.INVALID
    ) -> None:
        super().__init__(reason)
        self.check = IdentityCheck(status, reason, refusal=refusal)


class IdentityVerifier:
    """Checks the Identity header field of incoming INVITEs; for ``identity_verifier=`` of `UA`.

    The result is `RTCSession.remote_identity_check`, known before ``new_rtc_session`` tells of the call.

    :param anchors: whom to trust: the path of a PEM file with certificates, its content, or certificates.
    :param certificates: what gives the certificate behind a URL: `CertificateDirectory`, `HttpsCertificates`, or a
        (coroutine) function from URL to bytes. None: none can be had, and all is unverifiable.
    :param policy: ``report`` lets all calls pass, the result says what they are worth; ``reject`` refuses those whose
        Identity does not hold or cannot be verified (403, 436, 437, 438); ``require`` those without one, too (428).
    :param max_age: seconds that a signature may be old, or ahead of our clock.
    :param timeout: seconds that getting the certificates may take.
    :param authority: checks that a certificate's owner may speak for a caller, and raises a ValueError when not; by
        default `sipua.passport.certificates.check_authority`.
    :param clock: the time, in seconds since 1970.
    :raises ConfigurationError: anchors that cannot be read, or no such policy.
    """

    def __init__(
        self,
        anchors: str | PathLike[str] | bytes | Sequence[Certificate],
        certificates: CertificateSource | None = None,
        *,
        policy: Policy = "report",
        max_age: float = 60.0,
        timeout: float = 5.0,
        authority: Callable[[Certificate, Party], None] = check_authority,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if policy not in get_args(Policy):
            raise ConfigurationError("policy", policy, f"none of {', '.join(get_args(Policy))}")
        try:
            self._anchors = load_anchors(anchors)
        except (OSError, ValueError) as error:
            shown = anchors if isinstance(anchors, str | PathLike) else "…"
            raise ConfigurationError("anchors", str(shown), str(error)) from None
        self.policy: Policy = policy
        """What to do with calls that are not valid."""
        self._source = certificates
        self._max_age = max_age
        self._timeout = timeout
        self._authority = authority
        self._clock = clock

    def refusal(self, check: IdentityCheck) -> tuple[int, str] | None:
        """The status code and reason phrase to refuse a call with, by the policy; None lets it pass."""
        passes = self.policy == "report" or (self.policy == "reject" and check.refusal == _NO_USE)
        return None if passes else check.refusal

    async def verify(self, request: Request, sdp: str) -> IdentityCheck:
        """Check a request with the session description `sdp`. Of several signatures one that is valid is enough."""
        checks: list[IdentityCheck] = []
        for value in request.headers.getlist("Identity")[:MAX_FIELDS]:
            check = await self._verify_one(value, request, sdp)
            if check.is_valid:
                return check
            checks.append(check)
        # What is meant for others (an extension that is not known) says the least.
        return min(checks, key=lambda check: check.refusal == _NO_USE, default=NO_IDENTITY)

    async def _verify_one(self, value: str, request: Request, sdp: str) -> IdentityCheck:
        claims = subject = None
        try:
            field = _read_field(value)
            candidates = _candidates(field, request, sdp)
            claims = candidates[0].claims
            self._check_age(claims)
            chain = await self._fetch(field.info)
            subject = chain[0].subject.rfc4514_string()
            key = self._check_certificate(chain)
            passport = next(
                (one for one in candidates if keys.is_signed(key, one.signed, one.signature)), None
            )
            if passport is None:
                raise _Fault("the signature does not fit", _INVALID)
            claims = passport.claims
            try:
                self._authority(chain[0], claims.orig)
            except ValueError as error:
                raise _Fault(str(error), _UNSUPPORTED) from None
        except _Fault as fault:
            return replace(fault.check, claims=claims, certificate_subject=subject)
        return IdentityCheck(IdentityStatus.VALID, "", claims, subject)

    def _check_age(self, claims: Claims) -> None:
        age = self._clock() - claims.iat
        if abs(age) > self._max_age:
            raise _Fault(
                f"signed {age:.0f} s ago" if age > 0 else f"signed {-age:.0f} s ahead of time", _STALE
            )

    async def _fetch(self, url: str) -> list[Certificate]:
        if self._source is None:
            raise _Fault(NO_SOURCE.reason, _BAD_INFO, IdentityStatus.UNVERIFIABLE)
        try:
            async with asyncio.timeout(self._timeout):
                found = self._source(url)
                data = bytes(await found if inspect.isawaitable(found) else found)
        except TimeoutError:
            raise _Fault(
                "the certificate did not come in time", _BAD_INFO, IdentityStatus.UNVERIFIABLE
            ) from None
        except Exception as error:  # noqa: BLE001 - the application's own source may fail in any way
            logger.warning("no certificate from %s: %s", url, error)
            raise _Fault(f"no certificate: {error}", _BAD_INFO, IdentityStatus.UNVERIFIABLE) from None
        if len(data) > MAX_CERTIFICATE:
            raise _Fault("more than a certificate", _BAD_INFO)
        try:
            return load_certificates(data)
        except ValueError:
            raise _Fault("what is behind the URL is no certificate", _BAD_INFO) from None

    def _check_certificate(self, chain: list[Certificate]) -> EllipticCurvePublicKey:
        when = datetime.datetime.fromtimestamp(self._clock(), datetime.UTC)
        try:
            check_trust(chain, self._anchors, when)
            return public_key(chain[0])
        except ValueError as error:
            raise _Fault(str(error), _UNSUPPORTED) from None


def _read_field(value: str) -> IdentityField:
    try:
        field = IdentityField.parse(value)
    except ParseError as error:
        raise _Fault(str(error), _INVALID) from None
    if field.ppt is not None:
        raise _Fault(f"an extension that is not known: {field.ppt}", _NO_USE, IdentityStatus.UNVERIFIABLE)
    if field.alg != token.ALGORITHM:
        raise _Fault(
            f"an algorithm that is not known: {field.alg}", _UNSUPPORTED, IdentityStatus.UNVERIFIABLE
        )
    return field


def _candidates(field: IdentityField, request: Request, sdp: str) -> list[Passport]:
    """What may have been signed: what the token says if it fits the request, or what follows from the request."""
    if not (_is_text(request.to_address.uri) and _is_text(request.from_address.uri)):
        raise _Fault("an address that is no text", _INVALID)
    try:
        if field.is_compact:
            return _rebuilt(field, request, sdp)
        passport = token.parse(field.token)
    except ParseError as error:
        raise _Fault(str(error), _INVALID) from None
    _check_header(passport, field)
    _check_request(passport.claims, request, sdp)
    return [passport]


def _rebuilt(field: IdentityField, request: Request, sdp: str) -> list[Passport]:
    """The token that was left out, with each identity of the caller that may have been meant."""
    signature = token.decode(field.token.removeprefix(".."))
    date = request.date
    if date is None:
        raise ParseError("the compact form without Date")
    claims = [
        token.Claims(
            party_of(uri),
            (party_of(request.to_address.uri),),
            int(date.timestamp()),
            token.fingerprints_of(sdp),
        )
        for uri in _callers(request)
    ]
    return [
        token.Passport({}, one, token.signing_input(field.info, one).encode(), signature)
        for one in dict.fromkeys(claims)
    ]


def _is_text(uri: URI) -> bool:
    """Whether it can be written in UTF-8; bytes that could not be read as that cannot."""
    return str(uri).isprintable()


def _check_header(passport: Passport, field: IdentityField) -> None:
    header = passport.header
    if "ppt" in header:
        raise _Fault(f"an extension that is not known: {header['ppt']}", _NO_USE, IdentityStatus.UNVERIFIABLE)
    if header.get("typ") != "passport" or header.get("alg") != token.ALGORITHM or "crit" in header:
        raise _Fault("not a PASSporT of ES256", _INVALID)
    if header.get("x5u") != field.info:
        raise _Fault("the token names another certificate than the header field", _INVALID)


def _check_request(claims: Claims, request: Request, sdp: str) -> None:
    """Whether the claims are about this request."""
    if not any(claims.orig.is_meant_by(uri) for uri in _callers(request)):
        raise _Fault(f"signed for another caller: {claims.orig.value}", _INVALID)
    if not any(party.is_meant_by(request.to_address.uri) for party in claims.dest):
        raise _Fault("signed for another callee", _INVALID)
    if claims.fingerprints:
        used = set(token.fingerprints_of(sdp))
        if not used or not used <= set(claims.fingerprints):
            raise _Fault("signed for other DTLS fingerprints", _INVALID)


def _callers(request: Request) -> list[URI]:
    try:
        asserted = [address.uri for address in request.p_asserted_identity if _is_text(address.uri)]
    except ParseError:
        asserted = []
    return [*asserted, request.from_address.uri]
