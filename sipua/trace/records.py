"""What a trace is made of. One record is one line of JSON in the file; docs/trace.md has the format.

Times are seconds since 1970. A reader leaves out kinds and fields that it does not know: adding some is no new version.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMAT",
    "VERSION",
    "Direction",
    "Record",
    "TracedEvent",
    "TracedMessage",
    "TracedStats",
    "decode",
    "encode",
    "header",
]

FORMAT: Final = "sipua-trace"
"""What the first line says that the file is."""

VERSION: Final = 1
"""Raised with any change that an older reader would misunderstand."""

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One SIP message that came in or went out."""

    time: float
    direction: Direction
    peer: str
    """Whom it came from or went to, as the URL of the server."""
    message: str
    """Its whole text, without credentials (`sipua.sip.redaction`)."""
    agent: str = ""
    """Who we are: the address of the user agent."""


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """Something that a user agent or a call told."""

    time: float
    name: str
    """As applications know it: ``registered``, ``confirmed``, ``ended`` …"""
    agent: str = ""
    call: str | None = None
    """Call-ID; None: it is not about a call."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What it says in plain values: strings, numbers, booleans, None."""


@dataclass(frozen=True, slots=True)
class TracedStats:
    """A sample of the figures of a call's media."""

    time: float
    call: str
    stats: Mapping[str, Any]
    """`sipua.media.statistics.MediaStats`, as a dict."""
    quality: Mapping[str, Any] | None = None
    """How the peer sounded since the sample before (`Quality` as a dict); None: nothing was heard."""
    agent: str = ""


Record = TracedMessage | TracedEvent | TracedStats

_KINDS: Final[dict[str, type[Record]]] = {
    "message": TracedMessage,
    "event": TracedEvent,
    "stats": TracedStats,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "peer": (str,),
    "message": (str,),
    "agent": (str,),
    "name": (str,),
    "details": (dict,),
    "stats": (dict,),
    "quality": (dict, type(None)),
}


def header(time: float, software: str) -> str:
    """The first line of a file, without the line end."""
    return _dump({"kind": "trace", "format": FORMAT, "version": VERSION, "time": time, "software": software})


def encode(record: Record) -> str:
    """The record's line, without the line end."""
    return _dump({"kind": _NAMES[type(record)], **asdict(record)})


def decode(line: Mapping[str, Any]) -> Record | None:
    """The record of a line; None for a kind that is not known.

    :raises ValueError: a field is missing, or is of a wrong type.
    """
    kind = _KINDS.get(line["kind"]) if isinstance(line.get("kind"), str) else None
    if kind is None:
        if "kind" not in line:
            raise ValueError("it has no kind")
        return None
    known = {name: line[name] for name in kind.__slots__ if name in line}
    for name, value in known.items():
        if not _fits(kind, name, value):
            raise ValueError(f"{name} is {value!r}")
    try:
        return kind(**known)
    except TypeError:
        missing = next(name for name in kind.__slots__ if name not in known)
        raise ValueError(f"{missing} is missing") from None


def _fits(kind: type[Record], name: str, value: object) -> bool:
    if name == "direction":
        return value in ("in", "out")
    if name == "time":
        # Until 2106, as in captures.
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**32
    if name == "call":
        return isinstance(value, str) or (value is None and kind is TracedEvent)
    return isinstance(value, _TYPES[name])


def _dump(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)
