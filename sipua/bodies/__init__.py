"""The bodies of event packages as values: read with ``parse``, written with ``str()``.

==============================  ======================================  =====================
event package                   content type                            class
==============================  ======================================  =====================
``message-summary``             ``application/simple-message-summary``  `MessageSummary`
``presence``                    ``application/pidf+xml``                `Presence`
``dialog``                      ``application/dialog-info+xml``         `DialogInfo`
``reg``                         ``application/reginfo+xml``             `RegInfo`
==============================  ======================================  =====================

What comes from the network is read with care: no document type declarations, nothing is fetched, unknown elements
are skipped. What cannot be read raises `ParseError`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from sipua.sip import ParseError

from .dialog_info import DialogInfo, DialogStatus, Participant
from .message_summary import MessageCounts, MessageSummary
from .presence import Note, Presence, PresenceTuple
from .reginfo import RegInfo, RegisteredContact, Registration

__all__ = [
    "ACCEPT",
    "Body",
    "DialogInfo",
    "DialogStatus",
    "MessageCounts",
    "MessageSummary",
    "Note",
    "ParseError",
    "Participant",
    "Presence",
    "PresenceTuple",
    "RegInfo",
    "RegisteredContact",
    "Registration",
    "encode_body",
    "parse_body",
]


@runtime_checkable
class Body(Protocol):
    """A body that knows its content type; ``str()`` writes it."""

    @property
    def content_type(self) -> str:
        """The media type."""


_CLASSES = {kind.content_type: kind for kind in (MessageSummary, Presence, DialogInfo, RegInfo)}

#: What a subscriber to a package accepts when it does not say so (each package's RFC, "SUBSCRIBE Bodies").
ACCEPT = {
    "message-summary": MessageSummary.content_type,
    "presence": Presence.content_type,
    "dialog": DialogInfo.content_type,
    "reg": RegInfo.content_type,
}


def parse_body(
    content_type: str, body: str | bytes
) -> MessageSummary | Presence | DialogInfo | RegInfo | None:
    """The body as a value; None for a content type that has none here.

    :raises ParseError: it is not what its content type says.
    """
    kind = _CLASSES.get(content_type.partition(";")[0].strip().lower())
    return None if kind is None else kind.parse(body)


def encode_body(body: str | bytes | Body, content_type: str | None) -> tuple[bytes, str | None]:
    """What to send of a body, and as what; its own content type unless another is given."""
    if isinstance(body, bytes):
        return body, content_type
    if isinstance(body, str):
        return body.encode(), content_type
    return str(body).encode(), content_type or body.content_type
