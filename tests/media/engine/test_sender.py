"""The outgoing stream: numbers, time stamps, markers, packet times, tones."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import AudioEncoder, CodecSpec, make_encoder
from sipua.media.dtmf import CallDtmf
from sipua.media.engine.counters import Sent
from sipua.media.engine.rtp import parse_extensions, parse_packet
from sipua.media.engine.sender import AudioSender
from sipua.media.pcm import silence

PCMU = CodecSpec("pcmu", 0, 8000)
G722 = CodecSpec("g722", 9, 8000)
OPUS = CodecSpec("opus", 96, 48000, 2)
EVENTS = CodecSpec("telephone-event", 101, 8000)
LOUD = b"\x00\x10" * 160


class Wire:
    """What was sent, and whether there is anybody."""

    def __init__(self) -> None:
        self.up = True
        self.raw: list[bytes] = []

    def __call__(self, packet: bytes) -> bool:
        if self.up:
            self.raw.append(packet)
        return self.up

    @property
    def packets(self) -> list[tuple[int, bool, int, int, int, bytes]]:
        parsed = [parse_packet(packet) for packet in self.raw]
        assert None not in parsed
        return parsed  # type: ignore[return-value]


def sender(codec: CodecSpec | None = PCMU) -> tuple[AudioSender, Wire, Sent]:
    wire, counters = Wire(), Sent()
    made = AudioSender(4711, wire, counters)
    made.enabled = True
    if codec is not None:
        made.set_codec(codec, make_encoder(codec))
    return made, wire, counters


def steps(values: list[int], size: int) -> list[int]:
    return [(b - a) % size for a, b in pairwise(values)]


@pytest.mark.parametrize(("codec", "samples"), [(PCMU, 160), (G722, 160), (OPUS, 960)])
def test_one_packet_every_20_ms(codec: CodecSpec, samples: int) -> None:
    made, wire, counters = sender(codec)
    for _ in range(50):
        made.send(bytes(made.rate // 25))
    packets = wire.packets
    assert len(packets) == counters.packets == 50
    assert {p[0] for p in packets} == {codec.payload_type}
    assert [p[1] for p in packets] == [True] + [False] * 49
    assert steps([p[2] for p in packets], 1 << 16) == [1] * 49
    assert steps([p[3] for p in packets], 1 << 32) == [samples] * 49
    assert {p[4] for p in packets} == {4711}
    assert counters.bytes == sum(len(p[5]) for p in packets)


def test_numbers_begin_at_random_places() -> None:
    starts = {(sender()[0].sequence, sender()[0].timestamp) for _ in range(20)}
    assert len(starts) == 20
    assert all(sequence < 0x8000 for sequence, _ in starts)


@pytest.mark.parametrize(("ptime", "count"), [(10, 60), (20, 30), (30, 20), (40, 15), (60, 10)])
def test_packet_times(ptime: int, count: int) -> None:
    codec = CodecSpec("pcmu", 0, 8000, ptime=ptime)
    made, wire, _ = sender(codec)
    for n in range(30):
        made.send(bytes([0, n]) * 160)
    assert len(wire.packets) == count
    assert {len(p[5]) for p in wire.packets} == {8 * ptime}
    assert steps([p[3] for p in wire.packets], 1 << 32) == [8 * ptime] * (count - 1)
    expected = make_encoder(PCMU).encode(b"".join(bytes([0, n]) * 160 for n in range(30)))
    assert b"".join(p[5] for p in wire.packets) == expected


def test_the_numbers_go_on_over_a_change_of_codec() -> None:
    made, wire, _ = sender()
    made.send(LOUD)
    made.set_codec(OPUS, make_encoder(OPUS))
    assert made.rate == 48000
    made.send(bytes(1920))
    made.send(bytes(1920))
    packets = wire.packets
    assert [p[0] for p in packets] == [0, 96, 96]
    assert steps([p[2] for p in packets], 1 << 16) == [1, 1]
    assert steps([p[3] for p in packets], 1 << 32) == [160, 960]
    assert len({p[4] for p in packets}) == 1


def test_time_goes_on_over_a_change_in_the_middle_of_a_packet() -> None:
    made, wire, _ = sender(replace(PCMU, ptime=60))
    for _ in range(5):
        made.send(LOUD)
    made.set_codec(PCMU, make_encoder(PCMU))
    made.send(LOUD)
    assert steps([p[3] for p in wire.packets], 1 << 32) == [5 * 160]
    assert steps([p[2] for p in wire.packets], 1 << 16) == [1]


def test_hold_sends_nothing_and_time_goes_on() -> None:
    made, wire, counters = sender()
    made.send(LOUD)
    made.enabled = False
    for _ in range(10):
        made.send(LOUD)
    made.enabled = True
    made.send(LOUD)
    made.send(LOUD)
    packets = wire.packets
    assert counters.packets == len(packets) == 3
    assert steps([p[2] for p in packets], 1 << 16) == [1, 1]
    assert steps([p[3] for p in packets], 1 << 32) == [11 * 160, 160]
    assert [p[1] for p in packets] == [True, True, False]


@given(st.lists(st.integers(0, 200), max_size=8))
def test_missed_ticks_move_the_time_stamps_on(missed: list[int]) -> None:
    made, wire, _ = sender()
    start = made.timestamp
    for ticks in missed:
        made.skip(ticks)
        made.send(LOUD)
    assert (made.timestamp - start) % (1 << 32) == 160 * (sum(missed) + len(missed))
    assert all(p[1] for p in wire.packets)


def test_nobody_there() -> None:
    made, wire, counters = sender()
    wire.up = False
    first = made.sequence
    made.send(LOUD)
    assert (made.sequence, counters.failed, counters.packets) == (first, 1, 0)
    wire.up = True
    made.send(LOUD)
    assert wire.packets[0][1:3] == (True, first)


class Pausing(AudioEncoder):
    """Sends nothing for silence, and cannot encode some things."""

    rate = clock_rate = 8000

    def encode(self, pcm: bytes) -> bytes:
        if pcm[0] == 0xFF:
            raise ZeroDivisionError
        return b"x" if any(pcm) else b""


def test_the_marker_comes_after_silence() -> None:
    made, wire, counters = sender(None)
    made.set_codec(OPUS, Pausing())
    for pcm in (LOUD, LOUD, bytes(320), bytes(320), LOUD, LOUD):
        made.send(pcm)
    assert [p[1] for p in wire.packets] == [True, False, True, False]
    assert steps([p[2] for p in wire.packets], 1 << 16) == [1, 1, 1]
    assert steps([p[3] for p in wire.packets], 1 << 32) == [160, 480, 160]
    assert counters.packets == 4


def test_an_encoder_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    made, wire, _ = sender(None)
    made.set_codec(OPUS, Pausing())
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            made.send(b"\xff" * 320)
    assert len(caplog.records) == 1
    made.send(LOUD)
    assert len(wire.packets) == 1


def test_before_a_codec_is_known_only_time_passes() -> None:
    made, wire, _ = sender(None)
    start = made.timestamp
    made.send(bytes(1920))
    assert wire.raw == []
    assert made.timestamp == (start + 160) & 0xFFFFFFFF


def test_the_audio_level_is_told_when_it_is_wanted() -> None:
    made, wire, counters = sender()
    made.send(LOUD)
    made.set_extensions(3, 1, "7")
    made.send(LOUD)
    made.send(silence(160))
    made.set_extensions(None, None)
    made.send(LOUD)
    found = [parse_extensions(packet) for packet in wire.raw]
    assert found == [{}, {1: b"7", 3: bytes([18])}, {1: b"7", 3: bytes([127])}, {}]
    assert counters.level == 127
    silent = make_encoder(PCMU).encode(silence(160))
    assert wire.packets[2][5] == silent


@pytest.mark.parametrize("codec", [PCMU, OPUS])
def test_tones_go_in_the_place_of_packets(codec: CodecSpec) -> None:
    made, wire, counters = sender(codec)
    dtmf = CallDtmf()
    rate = made.clock_rate
    dtmf.negotiate(CodecSpec("telephone-event", 101, rate), rate)
    made.dtmf = dtmf
    pcm = bytes(made.rate // 25)
    made.send(pcm)
    dtmf.sender.queue("5", 100, 40)
    for _ in range(12):
        made.send(pcm)
    packets = wire.packets
    assert steps([p[2] for p in packets], 1 << 16) == [1] * 12
    events = [p for p in packets if p[0] == 101]
    assert [p[0] for p in packets[1:8]] == [101] * 7
    assert packets[8][0] == codec.payload_type
    assert len({p[3] for p in events}) == 1
    assert [p[1] for p in events] == [True] + [False] * 6
    assert events[-1][5] == bytes([5, 0x80 | 10]) + (rate // 10).to_bytes(2, "big")
    assert counters.events == 7
    # The audio behind is where it would have been without the tone.
    audio = [p for p in packets if p[0] != 101]
    assert (audio[1][3] - audio[0][3]) % (1 << 32) == 8 * rate // 50
    assert not audio[1][1]


def test_tones_wait_while_nothing_may_be_sent() -> None:
    made, wire, _ = sender()
    made.dtmf = CallDtmf()
    made.dtmf.negotiate(EVENTS, 8000)
    made.dtmf.sender.queue("1")
    made.enabled = False
    for _ in range(100):
        made.send(LOUD)
    made.enabled = True
    made.send(LOUD)
    assert [p[0] for p in wire.packets] == [101]
    assert wire.packets[0][1]
