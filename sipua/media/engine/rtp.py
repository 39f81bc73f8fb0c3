"""RTP packets (:rfc:`3550#section-5.1`) and their header extensions (:rfc:`8285`), as bytes.

Nothing here makes an object per packet: what is read comes as a tuple, what is written is bytes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from struct import Struct

import numpy as np

__all__ = [
    "AUDIO_LEVEL_URI",
    "MID_URI",
    "SILENT",
    "audio_level",
    "build_packet",
    "extension_blocks",
    "parse_extensions",
    "parse_packet",
]

AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"

#: The lowest audio level, digital silence (:rfc:`6464#section-3`).
SILENT = 127

_HEADER = Struct("!BBHII")
_WORD = Struct("!HH")
_ONE_BYTE_PROFILE = 0xBEDE
_TWO_BYTE_PROFILE = 0x1000
_FULL_SCALE = float(32767**2)


def parse_packet(packet: bytes) -> tuple[int, bool, int, int, int, bytes] | None:
    """Payload type, marker, sequence number, time stamp, SSRC, payload; None when it is malformed."""
    size = len(packet)
    if size < 12:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    if first == 0x80:
        return second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, packet[12:]
    if first >> 6 != 2:
        return None
    start, end = 12 + 4 * (first & 0x0F), size
    if first & 0x10:
        if size < start + 4:
            return None
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    if first & 0x20:
        padding = packet[-1]
        if not padding:
            return None
        end -= padding
    if start > end:
        return None
    return second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, packet[start:end]


def build_packet(
    payload_type: int,
    marker: bool,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    extensions: bytes = b"",
) -> bytes:
    """A packet; `extensions` is a whole block, as `extension_blocks` has them."""
    first = 0x90 if extensions else 0x80
    second = payload_type | 0x80 if marker else payload_type
    return _HEADER.pack(first, second, sequence, timestamp, ssrc) + extensions + payload


# Bytes of an element in the two-byte form (RFC 8285 section 4.3).
_LONGEST = 255


@lru_cache(maxsize=32)
def extension_blocks(level_id: int | None, mid_id: int | None, mid: str = "") -> tuple[bytes, ...]:
    """The extension block for each audio level from 0 (loudest) to 127, with the mid if it is negotiated.

    The identifiers are those of ``a=extmap``; None: not negotiated. Blocks are empty when neither is. The bit for
    voice activity stays 0: nothing is claimed about it.
    """
    name = mid.encode() if mid_id is not None else b""
    if len(name) > _LONGEST:
        name = b""  # one that no packet can carry is not told
    ids = [number for number in (level_id, mid_id) if number is not None]
    if not ids:
        return (b"",) * (SILENT + 1)
    short = max(ids) <= 14 and len(name) <= 16

    def element(number: int, value: bytes) -> bytes:
        header = bytes([number << 4 | len(value) - 1]) if short else bytes([number, len(value)])
        return header + value

    blocks = []
    for level in range(SILENT + 1):
        block = element(level_id, bytes([level])) if level_id is not None else b""
        if mid_id is not None and name:
            block += element(mid_id, name)
        block += bytes(-len(block) % 4)
        blocks.append(_WORD.pack(_ONE_BYTE_PROFILE if short else _TWO_BYTE_PROFILE, len(block) // 4) + block)
    return tuple(blocks)


def parse_extensions(packet: bytes) -> dict[int, bytes]:
    """The header extensions of a packet by identifier, in either form; what is malformed is left out."""
    found: dict[int, bytes] = {}
    start = 12 + 4 * (packet[0] & 0x0F) if packet else 0
    if len(packet) < start + 4 or not packet[0] & 0x10:
        return found
    profile, words = _WORD.unpack_from(packet, start)
    position = start + 4
    end = min(len(packet), position + 4 * words)
    one_byte = profile == _ONE_BYTE_PROFILE
    if not one_byte and profile & 0xFFF0 != _TWO_BYTE_PROFILE:
        return found
    while position < end:
        header = packet[position]
        position += 1
        if header == 0:
            continue  # padding
        if one_byte:
            number, length = header >> 4, (header & 0x0F) + 1
            if number == 15:
                break
        else:
            if position >= end:
                break
            number, length = header, packet[position]
            position += 1
        if position + length > end:
            break
        found[number] = packet[position : position + length]
        position += length
    return found


def audio_level(pcm: bytes) -> int:
    """How loud some PCM is, in -dBov: 0 for a full-scale square wave, 127 for silence (:rfc:`6464#section-3`)."""
    if not pcm:
        return SILENT
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    power = float(samples.dot(samples)) / (len(samples) * _FULL_SCALE)
    if power <= 0.0:
        return SILENT
    return min(SILENT, max(0, round(-10.0 * math.log10(power))))
