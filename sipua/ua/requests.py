"""Requests outside of dialogs (:rfc:`3261#section-8.1.1`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.sip import URI, Request, new_call_id, new_tag

if TYPE_CHECKING:
    from collections.abc import Iterable


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
