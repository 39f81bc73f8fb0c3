"""What an offer and its answer have settled about the codecs of both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua.media.codecs import CodecSpec
from sipua.media.description import Section, parse
from sipua.media.fmtp import parse_fmtp
from sipua.media.interface import PTIMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.media.interface import MediaOptions

__all__ = ["negotiated"]


def negotiated(
    codecs: Sequence[Any], remote: str, options: MediaOptions
) -> tuple[list[CodecSpec], list[CodecSpec]]:
    """What is sent, best first, and what may come.

    `codecs` are aiortc's, common to both sides, `remote` is the peer's description. Formats are sent as the peer
    wants to receive them (:rfc:`8866#section-6.15`).
    """
    section = next(s for s in parse(remote).media if s.kind == "audio" and s.live)
    wanted = _fmtp(section)
    ptime = _ptime(section, options.ptime)
    received = [
        CodecSpec(codec.name.lower(), codec.payloadType, codec.clockRate, codec.channels or 1)
        for codec in codecs
    ]
    sent = [
        CodecSpec(c.name, c.payload_type, c.clock_rate, c.channels, wanted.get(c.payload_type, {}), ptime)
        for c in received
    ]
    return sent, received


def _fmtp(section: Section) -> dict[int, dict[str, str]]:
    found = {}
    for value in section.all("fmtp"):
        number, _, parameters = value.partition(" ")
        if number.isascii() and number.isdigit():
            found[int(number)] = parse_fmtp(parameters)
    return found


def _ptime(section: Section, wanted: int) -> int:
    """Milliseconds, as the peer asks, within what it can take (:rfc:`8866#section-6.4`)."""
    asked, most = (_number(section.get(name)) for name in ("ptime", "maxptime"))
    choice = [ptime for ptime in PTIMES if most is None or ptime <= most] or list(PTIMES[:1])
    target = asked if asked is not None else wanted
    return min(choice, key=lambda ptime: (abs(ptime - target), ptime))


def _number(text: str | None) -> int | None:
    whole = (text or "").partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 6 else None
