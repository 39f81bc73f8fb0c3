"""The parameters of a format in SDP, ``a=fmtp`` (:rfc:`8866#section-6.15`), as far as audio has any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.media.interface import OpusOptions

__all__ = ["TELEPHONE_EVENTS", "OpusParameters", "event_codes", "format_fmtp", "parse_fmtp"]

#: What this side can hear: the digits, ``*``, ``#``, A to D, and flash (:rfc:`4733#section-3.2`).
TELEPHONE_EVENTS = "0-16"

_MIN_BITRATE, _MAX_BITRATE = 6000, 510000
_MIN_RATE, _MAX_RATE = 8000, 48000


def parse_fmtp(value: str) -> dict[str, str]:
    """The parameters by lower-case name. A list without names, as telephone-event has it, gets the name ``""``."""
    parameters: dict[str, str] = {}
    for part in value.split(";"):
        name, equals, content = part.partition("=")
        if equals:
            parameters.setdefault(name.strip().lower(), content.strip())
        elif name.strip():
            parameters.setdefault("", name.strip())
    return parameters


def format_fmtp(parameters: Mapping[str, str]) -> str:
    """The value that `parse_fmtp` reads."""
    return ";".join(f"{name}={value}" if name else value for name, value in parameters.items())


@dataclass(frozen=True, slots=True)
class OpusParameters:
    """What the receiver of Opus has said of itself (:rfc:`7587#section-6.1`)."""

    max_average_bitrate: int | None = None
    max_playback_rate: int = _MAX_RATE
    fec: bool = False
    dtx: bool = False
    cbr: bool = False

    @classmethod
    def of(cls, fmtp: Mapping[str, str]) -> OpusParameters:
        """As in an fmtp; what cannot be read counts as not said, what is out of bounds as the bound."""
        bitrate = _number(fmtp.get("maxaveragebitrate"))
        rate = _number(fmtp.get("maxplaybackrate"))
        return cls(
            None if bitrate is None else min(max(bitrate, _MIN_BITRATE), _MAX_BITRATE),
            _MAX_RATE if rate is None else min(max(rate, _MIN_RATE), _MAX_RATE),
            fmtp.get("useinbandfec") == "1",
            fmtp.get("usedtx") == "1",
            fmtp.get("cbr") == "1",
        )

    @staticmethod
    def wanted(options: OpusOptions) -> dict[str, str]:
        """What this side says of itself."""
        fmtp = {"minptime": "10"}
        if options.max_playback_rate is not None:
            fmtp["maxplaybackrate"] = str(options.max_playback_rate)
        if options.max_average_bitrate is not None:
            fmtp["maxaveragebitrate"] = str(options.max_average_bitrate)
        fmtp["useinbandfec"] = str(int(options.fec))
        if options.dtx:
            fmtp["usedtx"] = "1"
        if options.cbr:
            fmtp["cbr"] = "1"
        return fmtp


def event_codes(fmtp: Mapping[str, str]) -> frozenset[int]:
    """The events that a receiver of telephone-event can hear; 0 to 15 when it does not say
    (:rfc:`4733#section-2.4.1`).
    """
    codes: set[int] = set()
    for part in (fmtp.get("") or fmtp.get("events") or "0-15").split(","):
        first, _, last = part.strip().partition("-")
        low, high = _number(first.strip()), _number((last or first).strip())
        if low is not None and high is not None:
            codes.update(range(low, min(high, 255) + 1))
    return frozenset(codes)


def _number(text: str | None) -> int | None:
    # No number in SDP has more digits; without a limit int() takes long.
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else None
