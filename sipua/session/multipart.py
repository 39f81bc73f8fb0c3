"""Finding one part in a body that may be multipart (:rfc:`5621`)."""

from __future__ import annotations

import email
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipua.sip import Request, Response

#: Nested deeper than this, a body is no message but an attack: each level costs time for every line in it.
MAX_DEPTH = 8


def media_type(message: Request | Response) -> str:
    """The media type of its body in lower case, without parameters; empty when it has none."""
    return (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def part_of(message: Request | Response, wanted: str) -> bytes | None:
    """The body of media type `wanted`, or the first part of it in a multipart body; None when there is none."""
    kind = media_type(message)
    if kind == wanted:
        return message.body
    body = bytes(message.body)
    if not kind.startswith("multipart/") or body.lower().count(b"multipart/") >= MAX_DEPTH:
        return None
    head = b"Content-Type: " + (message.headers.get("Content-Type") or "").encode()
    for part in email.message_from_bytes(head + b"\r\n\r\n" + body).walk():
        if part.get_content_type() == wanted:
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else None
    return None
