"""Requests outside of dialogs (:rfc:`3261#section-8.1.1`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sipua.errors import InvalidHeaderError
from sipua.sip import URI, Request, new_call_id, new_tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sipua.ua.ua import UA

#: What may stand in Privacy (:rfc:`3323#section-4.2`).
_PRIVACY = re.compile(r"[a-z\-]+(;[a-z\-]+)*")


def new_request(
    method: str,
    uri: URI,
    *,
    from_: str,
    to: str,
    headers: Iterable[tuple[str, str]] = (),
    route: Iterable[str] = (),
    body: bytes = b"",
    call_id: str | None = None,
    sequence: int = 1,
    tag: str | None = None,
) -> Request:
    """A request that belongs to no dialog (:rfc:`3261#section-8.1.1`). `from_` and `to` are without tags.

    The transaction layer adds the Via.
    """
    request = Request(method, uri, body)
    add = request.headers.add
    for value in route:
        add("Route", value)
    add("Max-Forwards", "70")
    add("To", to)
    add("From", f"{from_};tag={tag or new_tag()}")
    add("Call-ID", call_id or new_call_id())
    add("CSeq", f"{sequence} {method}")
    for name, value in headers:
        add(name, value)
    return request


def new_invite(
    ua: UA,
    uri: URI,
    headers: tuple[tuple[str, str], ...],
    *,
    anonymous: bool,
    privacy: Any,
    user: str | None,
    display_name: str | None,
    expires: int | None,
) -> Request:
    """The INVITE of a call. An anonymous one tells who we are to our own servers only (:rfc:`3325#section-9.2`)."""
    own = list(ua.standard_headers())
    if anonymous:
        from_ = '"Anonymous" <sip:anonymous@anonymous.invalid>'
        own.append(("P-Preferred-Identity", ua.identity.from_value()))
        privacy = privacy or "id"
    else:
        from_ = ua.identity.from_value(user=user, display_name=display_name)
    if privacy:
        if not isinstance(privacy, str) or not _PRIVACY.fullmatch(privacy):
            raise InvalidHeaderError(f"privacy={privacy!r}: not a list of words such as header;id")
        own.append(("Privacy", privacy))
    if expires is not None:
        own.append(("Expires", str(expires)))
    return new_request(
        "INVITE",
        uri,
        from_=from_,
        to=f"<{uri}>",
        route=ua.identity.route(),
        headers=(("Contact", ua.contact(anonymous=anonymous)), *own, *headers),
    )
