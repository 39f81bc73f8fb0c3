"""Whether a request is one that this element can act on (:rfc:`3261#section-8.2`, :rfc:`3261#section-16.3`).

Apart from the codec, because the answer depends on who is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .message import Request

# Fields that every user agent acts on; reading them raises if they are malformed.
_READ: tuple[Callable[[Request], object], ...] = (
    lambda request: request.contact,
    lambda request: request.route,
    lambda request: request.record_route,
    lambda request: request.content_type,
)


def check_request(
    request: Request,
    *,
    supported: Collection[str] = (),
    schemes: Collection[str] = ("sip", "sips", "tel"),
    allow: Collection[str] | None = None,
    accept: Collection[str] | None = None,
    produce: Collection[str] | None = None,
    proxy: bool = False,
) -> None:
    """Raise :class:`ParseError` with the status and header fields to answer, unless the request can be acted on.

    In the order of :rfc:`3261#section-8.2`: a method that is not in `allow` → 405; a Request-URI with none of `schemes`
    → 416; malformed Contact, Route, Record-Route or Content-Type → 400; an option tag in Require that is not in
    `supported` → 420; a body that is encoded, or of a type that is not in `accept` → 415; no type of `produce` that the
    sender takes in answer to an INVITE → 406. What is None is not checked.

    A `proxy` looks at Proxy-Require instead of Require, and at Max-Forwards (→ 483), and at no method and no body
    (:rfc:`3261#section-16.3`). An ACK is never answered: its errors have no status.
    """
    if not proxy and allow is not None and request.method not in allow:
        raise _refusal(request, 405, f"method {request.method}", Allow=", ".join(allow))
    if request.uri.scheme not in schemes:
        raise _refusal(request, 416, f"URI scheme {request.uri.scheme}")
    for read in _READ:
        read(request)
    if proxy and request.max_forwards == 0:
        raise _refusal(request, 483, "no hops left")
    _check_extensions(request, supported, proxy=proxy)
    if not proxy:
        _check_body(request, accept)
        if produce is not None and request.method == "INVITE":
            _check_answer(request, produce)


def _check_extensions(request: Request, supported: Collection[str], *, proxy: bool) -> None:
    if request.method in ("ACK", "CANCEL"):  # they cannot be asked to do more (:rfc:`3261#section-8.2.2.3`)
        return
    known = {tag.lower() for tag in supported}
    missing = [
        tag for tag in (request.proxy_require if proxy else request.require) if tag.lower() not in known
    ]
    if missing:
        raise _refusal(request, 420, f"extension {', '.join(missing)}", Unsupported=", ".join(missing))


def _check_body(request: Request, accept: Collection[str] | None) -> None:
    if accept is None or not request.body:
        return
    disposition = (request.content_disposition or "").lower().replace(" ", "")
    if "handling=optional" in disposition:
        return
    encodings = [name for name in request.content_encoding if name.lower() != "identity"]
    if encodings:
        fields = {"Accept-Encoding": "identity"}
        raise _refusal(request, 415, f"content encoding {', '.join(encodings)}", **fields)
    content_type = request.content_type
    if content_type is None or content_type.mime_type not in accept:
        raise _refusal(request, 415, f"content type {content_type}", Accept=", ".join(accept))


def _check_answer(request: Request, produce: Collection[str]) -> None:
    ranges = request.accept
    if ranges is not None and not any(wanted.accepts(mime) for wanted in ranges for mime in produce):
        raise _refusal(request, 406, f"nothing but {', '.join(produce)} to answer with")


def _refusal(request: Request, status: int, why: str, **headers: str) -> ParseError:
    if request.method == "ACK":
        return ParseError(f"not acceptable: {why}")
    return ParseError(
        f"not acceptable: {why}", status=status, headers=tuple(headers.items()), request=request
    )
