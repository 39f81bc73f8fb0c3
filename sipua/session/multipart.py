"""Finding one part in a body that may be multipart, and what to make of the others (:rfc:`5621`)."""

from __future__ import annotations

import email
from email.message import Message
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
    if media_type(message) == wanted:
        return message.body
    for part in _parsed(message).walk():
        if part.get_content_type() == wanted:
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else None
    return None


def is_understood(message: Request | Response, wanted: str) -> bool:
    """Whether a receiver that knows `wanted` only may go on (:rfc:`3261#section-8.2.3`, :rfc:`5621#section-8`).

    Without a part of that type, all that there is must be optional (``handling=optional`` in Content-Disposition).
    Beside one, what does not say so is left out: only what says ``handling=required`` stands in the way.
    """
    if not message.body or media_type(message) == wanted:
        return True
    body = _parsed(message)
    return _may_ignore(body, wanted, found=_holds(body, wanted))


def _parsed(message: Request | Response) -> Message:
    """The body with the header fields that describe it; as one part if it is nested too deep."""
    head = "".join(
        f"{name}: {value}\r\n"
        for name in ("Content-Type", "Content-Disposition")
        if (value := message.headers.get(name)) is not None
    )
    body = bytes(message.body)
    if body.lower().count(b"multipart/") >= MAX_DEPTH or not media_type(message).startswith("multipart/"):
        body = b""
    return email.message_from_bytes(head.encode() + b"\r\n" + body)


def _holds(part: Message, wanted: str) -> bool:
    return any(each.get_content_type() == wanted for each in part.walk())


def _may_ignore(part: Message, wanted: str, *, found: bool) -> bool:
    if part.get_content_type() == wanted:
        return True
    handling = str(part.get_param("handling", "", "Content-Disposition")).lower()
    if handling == "optional":
        return True
    if not part.is_multipart():
        return found and handling != "required"
    parts = [each for each in part.get_payload() if isinstance(each, Message)]
    if part.get_content_subtype() == "alternative" and any(_holds(each, wanted) for each in parts):
        return True  # the others say the same
    return all(_may_ignore(each, wanted, found=found) for each in parts)
