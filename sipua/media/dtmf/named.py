"""The payload of a telephone-event packet (:rfc:`4733#section-2.3`)::

0                   1                   2                   3
|     event     |E|R| volume    |          duration             |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["MAX_DURATION", "DtmfEvent", "EventPacket", "Report", "pack", "unpack"]

#: The longest duration that one report can carry, in units of the RTP clock.
MAX_DURATION = 0xFFFF

_FORMAT = struct.Struct("!BBH")
_END = 0x80
_VOLUME = 0x3F
# One packet may carry several events that follow each other (RFC 4733 section 2.5.1.5). Tones are long: more
# than a few of them in a packet are not meant as such.
_MAX_REPORTS = 4


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What goes in place of an audio packet: payload, RTP timestamp and marker bit."""

    payload: bytes
    timestamp: int
    marker: bool


@dataclass(frozen=True, slots=True)
class DtmfEvent:
    """A tone that the peer has sent, once it is over."""

    tone: str
    """One of `DTMF_TONES`."""
    duration: float
    """Seconds; what was known of them when the end was lost."""
    volume: int | None = None
    """dBm0 without the sign, 0 (loud) to 63; None for tones found in the sound."""


@dataclass(frozen=True, slots=True)
class Report:
    """One event as one packet tells it."""

    event: int
    end: bool
    volume: int
    duration: int
    """Units of the RTP clock since the timestamp of the packet."""


def pack(report: Report) -> bytes:
    """The four bytes of a report."""
    return _FORMAT.pack(report.event, (_END if report.end else 0) | report.volume, report.duration)


def unpack(payload: bytes) -> list[Report]:
    """The reports of a payload; ValueError for a length that none has."""
    if not payload or len(payload) % _FORMAT.size or len(payload) > _MAX_REPORTS * _FORMAT.size:
        raise ValueError(f"telephone-event payload of {len(payload)} bytes")
    return [
        Report(event, bool(flags & _END), flags & _VOLUME, duration)
        for event, flags, duration in _FORMAT.iter_unpack(payload)
    ]
