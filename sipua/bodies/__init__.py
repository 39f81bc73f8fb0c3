"""The bodies of event and Info packages as values: read with ``parse``, written with ``str()``.

==============================  ======================================  =====================
package                         content type                            class
==============================  ======================================  =====================
``message-summary``             ``application/simple-message-summary``  `MessageSummary`
``presence``                    ``application/pidf+xml``                `Presence`
``dialog``                      ``application/dialog-info+xml``         `DialogInfo`
``reg``                         ``application/reginfo+xml``             `RegInfo`
``trickle-ice``                 ``application/trickle-ice-sdpfrag``     `TrickleFragment`
==============================  ======================================  =====================

What comes from the network is read with care: no document type declarations, nothing is fetched, unknown elements
are skipped. What cannot be read raises `ParseError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from sipua.sip import ParseError

if TYPE_CHECKING:
    from .dialog_info import DialogInfo, DialogStatus, Participant
    from .message_summary import MessageCounts, MessageSummary
    from .presence import Note, Presence, PresenceTuple
    from .reginfo import RegInfo, RegisteredContact, Registration
    from .trickle import TrickleFragment, TrickleMedia

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
    "TrickleFragment",
    "TrickleMedia",
    "encode_body",
    "parse_body",
]

#: What a subscriber to a package accepts when it does not say so (each package's RFC, "SUBSCRIBE Bodies").
ACCEPT = {
    "message-summary": "application/simple-message-summary",
    "presence": "application/pidf+xml",
    "dialog": "application/dialog-info+xml",
    "reg": "application/reginfo+xml",
}

_CLASSES = {
    "application/simple-message-summary": "MessageSummary",
    "application/pidf+xml": "Presence",
    "application/dialog-info+xml": "DialogInfo",
    "application/reginfo+xml": "RegInfo",
    "application/trickle-ice-sdpfrag": "TrickleFragment",
}
# Loaded when one is asked for: most programs never do, and an XML parser is a while to load.
_MODULES = {
    "dialog_info": ("DialogInfo", "DialogStatus", "Participant"),
    "message_summary": ("MessageCounts", "MessageSummary"),
    "presence": ("Note", "Presence", "PresenceTuple"),
    "reginfo": ("RegInfo", "RegisteredContact", "Registration"),
    "trickle": ("TrickleFragment", "TrickleMedia"),
}


def _load(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f".{module}", __name__), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not TYPE_CHECKING:
    __getattr__ = _load


class Body(Protocol):
    """A body that knows its content type; ``str()`` writes it."""

    @property
    def content_type(self) -> str:
        """The media type."""


def parse_body(
    content_type: str, body: str | bytes
) -> MessageSummary | Presence | DialogInfo | RegInfo | TrickleFragment | None:
    """The body as a value; None for a content type that has none here.

    :raises ParseError: it is not what its content type says.
    """
    name = _CLASSES.get(content_type.partition(";")[0].strip().lower())
    if name is None:
        return None
    value: MessageSummary | Presence | DialogInfo | RegInfo | TrickleFragment = _load(name).parse(body)
    return value


def encode_body(body: str | bytes | Body, content_type: str | None) -> tuple[bytes, str | None]:
    """What to send of a body, and as what; its own content type unless another is given.

    :raises TypeError: neither text nor bytes, nor a body that knows its content type.
    """
    if isinstance(body, bytes):
        return body, content_type
    if isinstance(body, str):
        return body.encode(), content_type
    if not hasattr(body, "content_type"):
        raise TypeError(f"a body is str, bytes or a value of sipua.bodies, not {type(body).__name__}")
    return str(body).encode(), content_type or body.content_type
