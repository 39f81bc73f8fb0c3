"""PASSporT, the token that is signed (:rfc:`8225`): JSON written in one way only, in base64url."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sipua.passport.canonical import Party
from sipua.sip import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALGORITHM = "ES256"
#: No time that is signed is further from 1970, in seconds.
MAX_TIME = 2**53

_BASE64URL = re.compile(r"[A-Za-z0-9_\-]+")
_FINGERPRINT = re.compile(r"^a=fingerprint:[ \t]*([\w\-]+)[ \t]+([0-9A-Fa-f:]+)[ \t]*\r?$", re.MULTILINE)
_DIGEST = re.compile(r"[0-9A-F]+")


class Fingerprint(NamedTuple):
    """The hash of a DTLS certificate (:rfc:`8225#section-5.2.2`)."""

    alg: str
    """The hash function in lower case, such as ``sha-256``."""
    dig: str
    """Hexadecimal digits in upper case, without colons."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a PASSporT asserts."""

    orig: Party
    """Who calls."""
    dest: tuple[Party, ...]
    """Who is called."""
    iat: int
    """When it was signed: seconds since 1970, UTC."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """The caller's DTLS certificates (``mky``)."""


@dataclass(frozen=True, slots=True)
class Passport:
    """A token, taken apart."""

    header: Mapping[str, Any]
    claims: Claims
    signed: bytes
    """What the signature is over."""
    signature: bytes


def fingerprints_of(sdp: str) -> tuple[Fingerprint, ...]:
    """The DTLS fingerprints of a session description, each once, in the order of `Fingerprint`s."""
    found = {Fingerprint(alg.lower(), dig.upper().replace(":", "")) for alg, dig in _FINGERPRINT.findall(sdp)}
    return tuple(sorted(found))


def signing_input(url: str, claims: Claims) -> str:
    """Header and payload of the token: what is signed. `url` is where the certificate is (``x5u``)."""
    header = {"alg": ALGORITHM, "typ": "passport", "x5u": url}
    return f"{_encode_json(header)}.{_encode_json(_payload(claims))}"


def _payload(claims: Claims) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "dest": {
            kind: values
            for kind in ("tn", "uri")
            if (values := sorted(party.value for party in claims.dest if party.kind == kind))
        },
        "iat": claims.iat,
        "orig": {claims.orig.kind: claims.orig.value},
    }
    if claims.fingerprints:
        payload["mky"] = [{"alg": alg, "dig": dig} for alg, dig in sorted(claims.fingerprints)]
    return payload


def _encode_json(value: object) -> str:
    """Keys in order, no white space, UTF-8 (:rfc:`8225#section-9`)."""
    return encode(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def encode(data: bytes) -> str:
    """base64url without padding (:rfc:`7515#section-2`)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes behind base64url without padding.

    :raises ParseError: it is none.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ParseError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parse(token: str) -> Passport:
    """A token in full form: ``header.payload.signature``.

    :raises ParseError: it is none, or lacks a claim that every PASSporT has.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise ParseError("not a token of three parts")
    header, payload, signature = parts
    return Passport(
        _read_object(header),
        _read_claims(_read_object(payload)),
        f"{header}.{payload}".encode(),
        decode(signature),
    )


def _read_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(decode(text), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ParseError("not JSON in base64url") from None
    if not isinstance(value, dict):
        raise ParseError("not a JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # readers would differ in which one they take
        raise ValueError("a name occurs twice")
    return found


def _read_claims(payload: Mapping[str, Any]) -> Claims:
    orig = tuple(_parties(payload.get("orig"), lambda value: [value]))
    dest = tuple(_parties(payload.get("dest"), lambda value: value))
    iat = payload.get("iat")
    if len(orig) != 1:
        raise ParseError("no orig claim, or several")
    if not dest:
        raise ParseError("no dest claim")
    if isinstance(iat, bool) or not isinstance(iat, int) or abs(iat) > MAX_TIME:
        raise ParseError("no iat claim")
    return Claims(orig[0], dest, iat, _read_keys(payload.get("mky", [])))


def _parties(value: Any, listed: Any) -> Iterable[Party]:
    if not isinstance(value, dict):
        return
    for kind, content in value.items():
        values = listed(content)
        if kind not in ("tn", "uri") or not isinstance(values, list):
            raise ParseError(f"an identity of a kind that is not known: {kind}")
        for one in values:
            if not isinstance(one, str) or not one or not one.isprintable():
                raise ParseError("an identity that is no text")
            yield Party("tn" if kind == "tn" else "uri", one)


def _read_keys(value: Any) -> tuple[Fingerprint, ...]:
    if not isinstance(value, list):
        raise ParseError("mky is no list")
    found = []
    for one in value:
        alg, dig = (one.get("alg"), one.get("dig")) if isinstance(one, dict) else (None, None)
        if not isinstance(alg, str) or not isinstance(dig, str) or not _DIGEST.fullmatch(dig.upper()):
            raise ParseError("mky holds what is no fingerprint")
        found.append(Fingerprint(alg.lower(), dig.upper()))
    return tuple(sorted(found))
