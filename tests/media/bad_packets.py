"""Packets that no decent peer sends: a list made by hand, and a generator that is given its chance from outside."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

from aiortc.rtp import (
    RtcpByePacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

from sipua.media.engine.rtp import build_packet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EVENTS", "RTCP", "RTP", "bad_rtcp", "bad_rtp", "mutated", "reports"]

PCMU, G722, NOISE, OPUS, DTMF = 0, 9, 13, 96, 101
#: An SSRC of no stream that is heard.
OTHER = 0xBADBAD
MTU = 1500


def _rtp(first: int, second: int, rest: bytes = b"", *, sequence: int = 7, stamp: int = 70) -> bytes:
    return struct.pack("!BBHII", first, second, sequence, stamp, OTHER) + rest


#: RTP that is malformed, truncated, oversized, or of a payload type that nobody agreed on.
RTP: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"\x80",
    "eleven bytes": _rtp(0x80, PCMU)[:11],
    "version 0": _rtp(0x00, PCMU, bytes(160)),
    "version 1": _rtp(0x40, PCMU, bytes(160)),
    "version 3": _rtp(0xC0, PCMU, bytes(160)),
    "contributors that are not there": _rtp(0x8F, PCMU, bytes(59)),
    "contributors and nothing else": _rtp(0x8F, PCMU, bytes(60)),
    "extension without a header": _rtp(0x90, PCMU),
    "extension with half a header": _rtp(0x90, PCMU, b"\xbe\xde\x00"),
    "extension longer than the packet": _rtp(0x90, PCMU, b"\xbe\xde\xff\xff" + bytes(160)),
    "extension to the last byte": _rtp(0x90, PCMU, b"\xbe\xde\x00\x01" + bytes(4)),
    "extension elements beyond its end": _rtp(0x90, PCMU, b"\xbe\xde\x00\x01\x1f\x2f\x3f\x4f" + bytes(160)),
    "two-byte extension beyond its end": _rtp(0x90, PCMU, b"\x10\x00\x00\x01\x01\xff\x02\xff" + bytes(160)),
    "padding of none": _rtp(0xA0, PCMU, bytes(160)),
    "padding longer than the payload": _rtp(0xA0, PCMU, b"\xff" * 160),
    "padding into the header": _rtp(0xA0, PCMU, b"\x10"),
    "padding alone": _rtp(0xA0, PCMU, bytes(7) + b"\x08"),
    "all flags": _rtp(0xBF, PCMU | 0x80, b"\xff" * 200),
    "unknown payload type": _rtp(0x80, 77, bytes(160)),
    "payload type that is RTCP with the marker": _rtp(0x80, 72 | 0x80, bytes(20)),
    "all ones": b"\xff" * MTU,
    "all zeros": bytes(MTU),
    "one sample": _rtp(0x80, PCMU, b"\x55"),
    "full of PCMU": _rtp(0x80, PCMU, b"\x55" * (MTU - 12)),
    "full of G.722": _rtp(0x80, G722, b"\xfa" * (MTU - 12)),
    "full of Opus": _rtp(0x80, OPUS, b"\xff" * (MTU - 12)),
    "Opus of 48 frames": _rtp(0x80, OPUS, b"\x03\x30" + bytes(100)),
    "Opus of 63 frames": _rtp(0x80, OPUS, b"\xff\x3f" + bytes(100)),
    "Opus of no frame": _rtp(0x80, OPUS, b"\x03\x00"),
    "Opus padded beyond its end": _rtp(0x80, OPUS, b"\x03\x41" + b"\xff" * 20),
    "Opus of half a header": _rtp(0x80, OPUS, b"\x03"),
    "noise without a level": _rtp(0x80, NOISE),
    "noise of a strange model": _rtp(0x80, NOISE, bytes([200]) + b"\xff" * 300),
}

#: Payloads of telephone-event.
EVENTS: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"\x01",
    "three bytes": b"\x01\x0a\x00",
    "five bytes": b"\x01\x0a\x00\xa0\x00",
    "no such tone": b"\xff\x8a\x03\x20",
    "flash": b"\x10\x8a\x03\x20",
    "no duration": b"\x01\x8a\x00\x00",
    "reserved bit": b"\x01\xff\xff\xff",
    "longest": b"\x01\x0a\xff\xff",
    "many at once": b"\x01\x8a\x03\x20" * 300,
}


def reports(ssrc: int, about: int) -> bytes:
    """A proper compound packet."""
    block = RtcpReceiverInfo(about, 10, 5, 1000, 7, 1, 2)
    info = RtcpSenderInfo(1 << 63, 1234, 50, 8000)
    name = RtcpSdesPacket([RtcpSourceInfo(ssrc, [(1, b"somebody")])])
    return bytes(RtcpSrPacket(ssrc, info, [block])) + bytes(name) + bytes(RtcpByePacket([ssrc]))


def _rtcp(first: int, kind: int, words: int, rest: bytes = b"") -> bytes:
    return struct.pack("!BBH", first, kind, words) + rest


_WILD = RtcpReceiverInfo(1, 255, -(1 << 23), 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)

#: RTCP that is malformed, truncated or absurd.
RTCP: dict[str, bytes] = {
    "nothing": b"",
    "three bytes": b"\x80\xc9\x00",
    "version 1": _rtcp(0x40, 201, 1, bytes(4)),
    "longer than it is": _rtcp(0x80, 201, 9, bytes(8)),
    "of no words": _rtcp(0x80, 201, 0),
    "of no words, a hundred times": _rtcp(0x80, 204, 0) * 100,
    "31 blocks that are not there": _rtcp(0x9F, 200, 6, bytes(24)),
    "sender report without its information": _rtcp(0x80, 200, 1, bytes(4)),
    "half a block": _rtcp(0x81, 201, 4, bytes(16)),
    "padding of none": _rtcp(0xA0, 201, 2, bytes(8)),
    "padding longer than itself": _rtcp(0xA0, 201, 1, b"\xff" * 4),
    "names that are not there": _rtcp(0x9F, 202, 1, bytes(4)),
    "name beyond its end": _rtcp(0x81, 202, 2, bytes(4) + b"\x01\xff\x00\x00"),
    "name without an end": _rtcp(0x81, 202, 2, bytes(4) + b"\x01\x02ab"),
    "good-bye of 31": _rtcp(0x9F, 203, 1, bytes(4)),
    "good-bye of nobody": _rtcp(0x80, 203, 0),
    "reason beyond its end": _rtcp(0x81, 203, 2, bytes(4) + b"\xff\x00\x00\x00"),
    "feedback of nothing": _rtcp(0x81, 205, 0),
    "picture feedback cut short": _rtcp(0x8F, 206, 3, bytes(12)),
    "extended report": _rtcp(0x80, 207, 3, b"\x00\x00\x00\x01\x04\x00\x00\xff" + bytes(4)),
    "wild figures": bytes(RtcpRrPacket(OTHER, [_WILD])),
    "wild figures of us, 31 times": bytes(RtcpRrPacket(OTHER, [_WILD] * 31)),
    "from the last second of time": bytes(
        RtcpSrPacket(OTHER, RtcpSenderInfo((1 << 64) - 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF), [])
    ),
    "all ones": b"\xff" * MTU,
    "as long as can be": _rtcp(0x80, 204, MTU // 4 - 1, b"\xaa" * (MTU - 4)),
}


def mutated(packet: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes cut off, doubled, put in."""
    data = bytearray(packet)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 12))
            case 3 if at < len(data):
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case _:
                data += data[at : at + 100]
    return bytes(data[:MTU])


def bad_rtp(rng: random.Random) -> Iterator[bytes]:
    """For ever: from the list, mutations of it and of good packets, made-up sources, and noise of any length."""
    listed = list(RTP.values())
    events = list(EVENTS.values())
    while True:
        number = rng.choice((PCMU, G722, NOISE, OPUS, DTMF, rng.randrange(128)))
        stamp, sequence = rng.getrandbits(32), rng.getrandbits(16)
        source = rng.choice((OTHER, rng.getrandbits(32)))
        match rng.randrange(6):
            case 0:
                yield rng.choice(listed)
            case 1:
                yield mutated(rng.choice(listed), rng)
            case 2:
                yield build_packet(DTMF, rng.random() < 0.5, sequence, stamp, source, rng.choice(events))
            case 3:
                payload = rng.randbytes(rng.choice((1, 20, 160, 320, MTU - 12)))
                yield build_packet(number, rng.random() < 0.5, sequence, stamp, source, payload)
            case 4:
                yield mutated(build_packet(number, False, sequence, stamp, source, rng.randbytes(160)), rng)
            case _:
                yield rng.randbytes(rng.choice((4, 12, 40, 172, MTU)))


def bad_rtcp(rng: random.Random, about: int = 1) -> Iterator[bytes]:
    """For ever: from the list, mutations of it and of good packets, and noise behind a good header."""
    listed = list(RTCP.values())
    while True:
        match rng.randrange(4):
            case 0:
                yield rng.choice(listed)
            case 1:
                yield mutated(rng.choice(listed), rng)
            case 2:
                yield mutated(reports(rng.choice((OTHER, rng.getrandbits(32))), about), rng)
            case _:
                words = rng.randrange(0, 60)
                head = _rtcp(0x80 | rng.randrange(32), rng.randrange(192, 224), words)
                yield head + rng.randbytes(4 * words)
