"""What a REFER refers to: the Refer-To header field, written and read (:rfc:`3515#section-2.1`)."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.errors import InvalidHeaderError, InvalidTargetError, ParseError
from sipua.session.headers import header_list
from sipua.sip import URI, Replaces

if TYPE_CHECKING:
    from sipua.sip import Address, Request

logger = logging.getLogger("sipua.session")

#: What we can be referred to; anything else gets 416.
SCHEMES = ("sip", "sips", "tel")

#: The longest address that is called, without its headers.
MAX_LENGTH = 1000

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"\+?[0-9A-Fa-f*#().\-]*[0-9A-Fa-f*#][0-9A-Fa-f*#().\-]*")

#: Headers in a Refer-To URI that go into the INVITE, beside ``X-`` ones. The sender of the REFER must not be able to
#: forge the others (RFC 3261 §19.1.5).
_HONOURED = frozenset(
    {
        "accept-contact",
        "alert-info",
        "call-info",
        "priority",
        "reject-contact",
        "request-disposition",
        "subject",
        "user-to-user",
    }
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Whom to call, and how."""

    uri: URI
    """Whom to call, without what is no part of an address."""
    replaces: Replaces | None
    """The call of the target's that the new one takes the place of: an attended transfer."""
    referred_by: Address | None
    """Who says so (:rfc:`3892`)."""
    headers: tuple[tuple[str, str], ...]
    """What the new INVITE carries because of the reference: Replaces, Referred-By, headers of the URI."""


def write(target: URI, replaces: Replaces | None = None) -> str:
    """A Refer-To value for `target`, with Replaces inside for an attended transfer (:rfc:`5589#section-7.3`).

    Replaces is then required of whoever gets the INVITE: another device of the target's, which does not know the call,
    would ring instead.

    :raises InvalidTargetError: nothing that can be called, or that can take a Replaces.
    """
    if target.scheme not in SCHEMES:
        raise InvalidTargetError(f"{target}: not a target for a transfer; only SIP, SIPS and tel URIs are")
    if replaces is None:
        return f"<{target}>"
    if target.scheme == "tel":
        raise InvalidTargetError(f"{target}: a tel URI cannot say which call to replace")
    others = {
        name: target.headers[name] for name in target.headers if name.lower() not in ("replaces", "require")
    }
    headers = {**others, "Replaces": str(replaces), "Require": "replaces"}
    return f"<{target.replace(headers=headers)}>"


def read(request: Request) -> Reference:
    """What this REFER refers to.

    :raises ParseError: it cannot be followed; ``status`` is the answer: 400 malformed, 416 a scheme that cannot be
        called, 501 a method other than INVITE.
    """
    refer_to = request.refer_to
    referred_by = request.referred_by
    if refer_to is None:
        raise ParseError("a REFER without Refer-To", status=400, phrase="Missing Refer-To", request=request)
    uri = refer_to.uri
    if uri.scheme not in SCHEMES:
        raise ParseError(f"a reference to {uri}", status=416, request=request)
    if len(str(uri.replace(headers=None) if uri.headers else uri)) > MAX_LENGTH:
        raise _malformed(request, f"an address of more than {MAX_LENGTH} characters")
    if uri.scheme == "tel":
        if _NUMBER.fullmatch(uri.user or "") is None:
            raise _malformed(request, f"not a number: {uri.user}")
        return Reference(uri, None, referred_by, _referred_by(referred_by))
    method = uri.parameters.get("method")
    if method is not None and method.upper() != "INVITE":
        raise ParseError(f"a reference to {uri}", status=501, request=request)
    replaces = _replaces(request, uri)
    wanted = [(name, uri.headers[name] or "") for name in uri.headers if _is_honoured(name)]
    if any(_CONTROL.search(content) for _, content in wanted):
        raise _malformed(request, "control characters in a header of the URI")
    try:
        headers = header_list(wanted)
    except InvalidHeaderError as error:
        raise _malformed(request, str(error)) from None
    if replaces is not None:
        headers = (("Replaces", str(replaces)), *headers)
        if "replaces" in (uri.headers.get("Require") or "").lower():
            headers = (("Require", "replaces"), *headers)
    plain = uri.replace(headers=None, parameters=uri.parameters.without("method"))
    return Reference(plain, replaces, referred_by, (*_referred_by(referred_by), *headers))


def _replaces(request: Request, uri: URI) -> Replaces | None:
    if "Replaces" not in uri.headers:
        return None
    if sum(field.lower().startswith("replaces=") for field in re.split("[?&]", str(uri.headers))) > 1:
        raise _malformed(request, "more than one Replaces")
    value = uri.headers["Replaces"] or ""
    try:
        if not value.isprintable():
            raise ParseError("characters that cannot be in a header")
        return Replaces.parse(value)
    except ParseError as error:
        raise _malformed(request, str(error)) from None


def _is_honoured(name: str) -> bool:
    honoured = name.lower() in _HONOURED or name.lower().startswith("x-")
    if not honoured and name.lower() not in ("replaces", "require"):
        logger.info("a reference asks for the header %r, which is not sent", name)
    return honoured


def _referred_by(address: Address | None) -> tuple[tuple[str, str], ...]:
    """Referred-By for the new request: as it came (:rfc:`3892#section-2.2`).

    A ``cid`` names a token in the REFER's body, which does not go along: the target would look for it in vain.
    """
    if address is None:
        return ()
    parameters = address.parameters
    value = str(address.replace(parameters=parameters.without("cid")) if "cid" in parameters else address)
    return (("Referred-By", value),)


def _malformed(request: Request, why: str) -> ParseError:
    return ParseError(f"Refer-To: {why}", status=400, phrase="Malformed Refer-To", request=request)
