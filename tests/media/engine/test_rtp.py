"""RTP packets as bytes, held against aiortc's."""

from __future__ import annotations

import math
import struct

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpReceiveParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.engine.rtp import (
    AUDIO_LEVEL_URI,
    MID_URI,
    SILENT,
    audio_level,
    build_packet,
    extension_blocks,
    parse_extensions,
    parse_packet,
)

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def extensions_map(level: int, mid: int) -> HeaderExtensionsMap:
    made = HeaderExtensionsMap()
    made.configure(
        RTCRtpReceiveParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=level, uri=AUDIO_LEVEL_URI),
                RTCRtpHeaderExtensionParameters(id=mid, uri=MID_URI),
            ]
        )
    )
    return made


@given(st.integers(0, 127), st.booleans(), U16, U32, U32, st.binary(max_size=200), st.integers(0, SILENT))
def test_others_read_what_is_written(
    payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes, level: int
) -> None:
    block = extension_blocks(2, 1, "audio0")[level]
    packet = build_packet(payload_type, marker, sequence, timestamp, ssrc, payload, block)
    theirs = RtpPacket.parse(packet, extensions_map(2, 1))
    assert (theirs.payload_type, bool(theirs.marker), theirs.sequence_number) == (
        payload_type,
        marker,
        sequence,
    )
    assert (theirs.timestamp, theirs.ssrc, theirs.payload) == (timestamp, ssrc, payload)
    assert theirs.extensions.mid == "audio0"
    assert theirs.extensions.audio_level == (False, level)
    assert parse_packet(packet) == (payload_type, marker, sequence, timestamp, ssrc, payload)
    assert parse_extensions(packet) == {1: b"audio0", 2: bytes([level])}


@given(
    st.lists(U32, max_size=15),
    st.binary(max_size=30),
    st.integers(0, 8),
    st.booleans(),
)
def test_what_others_write_is_read(csrc: list[int], payload: bytes, padding: int, extended: bool) -> None:
    theirs = RtpPacket(payload_type=8, marker=1, sequence_number=7, timestamp=9, ssrc=5, payload=payload)
    theirs.csrc, theirs.padding_size = csrc, padding
    if extended:
        theirs.extensions.mid = "x"
    assert parse_packet(theirs.serialize(extensions_map(2, 1))) == (8, True, 7, 9, 5, payload)


@given(st.binary(max_size=80))
def test_whatever_comes_is_read_or_not(data: bytes) -> None:
    parsed = parse_packet(data)
    try:
        theirs = RtpPacket.parse(data)
    except Exception:  # noqa: BLE001 - theirs raises all sorts
        return
    assert parsed is not None
    assert parsed[5] == theirs.payload
    parse_extensions(data)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(11),
        b"\x40" + bytes(11),  # version 1
        b"\x8f" + bytes(20),  # fifteen CSRCs
        b"\x90" + bytes(11) + b"\xbe\xde\x00\x09" + bytes(8),  # extension too long
        b"\x90" + bytes(12),
        b"\xa0" + bytes(11) + b"\x01\x00",  # padding of nothing
        b"\xa0" + bytes(11) + b"\x09\x09",  # padding too long
    ],
)
def test_malformed(packet: bytes) -> None:
    assert parse_packet(packet) is None


def test_extensions_with_two_bytes_of_header() -> None:
    long = "a" * 20
    packet = build_packet(0, False, 0, 0, 0, b"", extension_blocks(1, 20, long)[5])
    assert struct.unpack_from("!H", packet, 12) == (0x1000,)
    assert parse_extensions(packet) == {1: b"\x05", 20: long.encode()}
    theirs = RtpPacket.parse(packet, extensions_map(1, 20))
    assert theirs.extensions.mid == long
    assert parse_packet(packet) == (0, False, 0, 0, 0, b"")


def test_extensions_that_were_not_negotiated() -> None:
    assert set(extension_blocks(None, None, "0")) == {b""}
    assert set(extension_blocks(None, 1, "m" * 256)) == {extension_blocks(None, 1, "")[0]}
    packet = build_packet(0, False, 0, 0, 0, b"", extension_blocks(None, 3, "0")[9])
    assert parse_extensions(packet) == {3: b"0"}
    packet = build_packet(0, False, 0, 0, 0, b"", extension_blocks(4, None, "0")[9])
    assert parse_extensions(packet) == {4: b"\x09"}
    assert parse_extensions(build_packet(0, False, 0, 0, 0, b"")) == {}


@given(st.binary(max_size=60))
def test_malformed_extensions_are_left_out(block: bytes) -> None:
    for profile in (0xBEDE, 0x1000, 0x4242):
        head = struct.pack("!HH", profile, 4)
        parse_extensions(b"\x90" + bytes(11) + head + block)


def test_audio_levels() -> None:
    assert audio_level(b"") == audio_level(bytes(320)) == SILENT
    assert audio_level(struct.pack("<160h", *[32767, -32767] * 80)) == 0
    sine = [round(32767 * math.sin(math.tau * i / 16)) for i in range(160)]
    assert audio_level(struct.pack("<160h", *sine)) == 3
    assert audio_level(struct.pack("<160h", *[s // 10 for s in sine])) == 23
    assert audio_level(struct.pack("<160h", *[1] + [0] * 159)) <= SILENT
