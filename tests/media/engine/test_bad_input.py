"""What a malicious or broken peer sends: counted and dropped, without an exception, and nothing grows of it.

The packets here are authentic, as SRTP is below: the peer is the one who misbehaves.
"""

from __future__ import annotations

import contextlib
import gc
import random
import threading
import time
import tracemalloc
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.analysis import detect_tones
from sipua.media.codecs import CodecError, CodecSpec, make_decoder, make_encoder
from sipua.media.engine.channel import AudioChannel
from sipua.media.engine.rtp import build_packet
from sipua.media.interface import MediaOptions
from sipua.media.port import CallAudio
from sipua.media.sources import Tone
from tests.media.bad_packets import EVENTS, MTU, OTHER, RTCP, RTP, bad_rtcp, bad_rtp, reports
from tests.stateful import stateful

CODECS = [
    CodecSpec("pcmu", 0, 8000),
    CodecSpec("g722", 9, 8000),
    CodecSpec("cn", 13, 8000),
    CodecSpec("opus", 96, 48000, 2),
    CodecSpec("telephone-event", 101, 8000),
    CodecSpec("telephone-event", 102, 48000),
]
US, PEER = 1, 2
FRAMES = {size * 2 for size in (160, 320, 960)}


class Nowhere:
    """A transport to nobody."""

    def send_rtp(self, packet: bytes) -> bool:
        return True

    def send_rtcp(self, packet: bytes) -> bool:
        return True

    def forget(self, ssrc: int) -> None:
        pass


class Victim:
    """One end of a call, and the good half of its peer: a tone of 440 Hz with PCMU."""

    def __init__(self) -> None:
        self.now = 100.0
        self.port = CallAudio(lambda error: None, lambda: self.now)
        self.channel = AudioChannel(Nowhere(), self.port, MediaOptions(), US, "victim")
        self.channel.set_codecs(CODECS[:1], CODECS)
        self.channel.set_direction("sendrecv")
        self.channel.receiver.listening = True
        self.tones: list[Any] = []
        self.channel.receiver.on_tone = self.tones.append
        self.counted = self.channel.counters.received
        self.sequence = 65000
        self.encoder = make_encoder(CODECS[0])
        self.tone = Tone(440.0).open(8000)

    def good(self) -> None:
        """The next packet of the peer."""
        payload = self.encoder.encode(self.tone.read(160))
        stamp = self.sequence * 160 & 0xFFFFFFFF
        self.rtp(build_packet(0, False, self.sequence & 0xFFFF, stamp, PEER, payload))
        self.sequence += 1

    def rtp(self, data: bytes) -> None:
        # Not the channel's `rtp`, which would log an exception and go on.
        self.channel.receiver.packet(data, self.now, self.now)

    def rtcp(self, data: bytes) -> None:
        self.channel.rtcp_packet(data, self.now)

    def tick(self) -> bytes:
        self.channel.receiver.tick(self.now)
        if self.channel.rtcp.due(self.now):
            assert len(self.channel.rtcp.report(self.now, 0)) < MTU
        pcm = self.channel.receiver.pull(self.now)
        self.now += 0.02
        return pcm


@pytest.fixture
def victim() -> Victim:
    return Victim()


def held(root: object) -> int:
    """How many things an object of ours holds, by whatever attributes and containers."""
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, type | threading.Thread) or callable(found):
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            waiting += [*found.keys(), *found.values()]
        elif isinstance(found, list | set | deque | tuple):
            waiting += found
        elif type(found).__module__.startswith("sipua."):
            waiting += vars(found).values() if hasattr(found, "__dict__") else []
            slots = {name for kind in type(found).__mro__ for name in getattr(kind, "__slots__", ())}
            waiting += [getattr(found, name) for name in slots if hasattr(found, name)]
    return len(seen)


def counters(victim: Victim) -> tuple[int, int]:
    return victim.counted.packets, victim.counted.discarded


@pytest.mark.parametrize("name", RTP)
def test_rtp_is_counted_and_disturbs_nothing(victim: Victim, name: str) -> None:
    for _ in range(20):
        victim.good()
        victim.tick()
    packets, discarded = counters(victim)
    victim.rtp(RTP[name])
    assert counters(victim) != (packets, discarded)
    # Of a source that is not heard, if it is RTP at all.
    assert victim.counted.discarded == discarded + 1
    heard = b""
    for _ in range(20):
        victim.good()
        heard += victim.tick()
    assert detect_tones(heard, [440.0], share=0.9) == [440.0]


@pytest.mark.parametrize("name", RTP)
def test_rtp_of_the_stream_itself_ends_with_it(victim: Victim, name: str) -> None:
    """From the source that is heard it may be heard; what follows is as it was before, within five seconds."""
    data = bytearray(RTP[name])
    for n in range(60):
        if n % 6 == 5:
            if len(data) >= 12:
                data[2:4] = (victim.sequence & 0xFFFF).to_bytes(2, "big")
                data[4:8] = (victim.sequence * 160).to_bytes(4, "big")
                data[8:12] = PEER.to_bytes(4, "big")
            victim.sequence += 1
            victim.rtp(bytes(data))
        else:
            victim.good()
        assert len(victim.tick()) in FRAMES
    for _ in range(225):
        victim.good()
        victim.tick()
    heard = b""
    for _ in range(25):
        victim.good()
        heard += victim.tick()
    assert victim.channel.playout.rate == 8000
    assert detect_tones(heard, [440.0], share=0.9) == [440.0]
    assert victim.channel.playout.stats.delay < 0.15


@pytest.mark.parametrize("number", [101, 102])
@pytest.mark.parametrize("name", EVENTS)
def test_events(victim: Victim, name: str, number: int) -> None:
    payload = EVENTS[name]
    for n in range(50):
        victim.good()
        stamp = victim.sequence * 160 & 0xFFFFFFFF
        victim.rtp(build_packet(number, True, victim.sequence & 0xFFFF, stamp, PEER, payload))
        victim.sequence += 1
        for _ in range(2 if n % 10 else 20):
            victim.tick()
    for _ in range(20):
        victim.tick()
    assert victim.counted.events == 50
    malformed = len(payload) == 0 or len(payload) % 4 != 0 or len(payload) > 16
    assert victim.counted.discarded == (50 if malformed else 0)
    assert len(victim.tones) == (50 if name in ("reserved bit", "longest") else 0)


@pytest.mark.parametrize("name", RTCP)
def test_rtcp(victim: Victim, name: str) -> None:
    for _ in range(20):
        victim.good()
        victim.tick()
    victim.rtcp(RTCP[name])
    victim.rtcp(RTCP[name].replace(OTHER.to_bytes(4, "big"), PEER.to_bytes(4, "big")))
    heard = b""
    for _ in range(200):
        victim.good()
        heard += victim.tick()
    victim.rtcp(reports(PEER, US))
    sent = victim.channel.counters.sent
    assert (sent.lost, sent.fraction_lost) == (5, 10 / 256)
    assert detect_tones(heard, [440.0], share=0.9) == [440.0]


@stateful(60, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 12), st.booleans())
def test_anything_between_good_packets(seed: int, each: int, as_the_peer: bool) -> None:
    """`as_the_peer`: of the source that is heard. Then the sound is as it comes, and soon good again after it."""
    rng, victim = random.Random(seed), Victim()
    rtp, rtcp = bad_rtp(rng), bad_rtcp(rng, US)
    heard = []
    for n in range(120):
        victim.good()
        for _ in range(each if n < 50 else 0):
            data = next(rtp)
            if as_the_peer and len(data) >= 12:
                data = data[:8] + PEER.to_bytes(4, "big") + data[12:]
            victim.rtp(data)
            victim.rtcp(next(rtcp))
        heard.append(victim.tick())
        assert len(heard[-1]) in FRAMES
    assert victim.channel.playout.rate == 8000
    assert detect_tones(b"".join(heard[100:]), [440.0], share=0.9) == [440.0]
    if not as_the_peer:
        # Now and then two packets of junk follow each other by chance, and are taken for another stream.
        good = [len(pcm) == 320 and detect_tones(pcm, [440.0], share=0.9) for pcm in heard[10:]]
        assert sum(map(bool, good)) > 0.8 * len(good)


@pytest.mark.parametrize("as_the_peer", [False, True])
def test_nothing_grows(victim: Victim, as_the_peer: bool) -> None:
    """After 4,000 packets, 100 a tick, the end holds what it held after the first of them, and makes no thread."""
    rng = random.Random(3)
    rtp, rtcp = bad_rtp(rng), bad_rtcp(rng, US)

    def flood(ticks: int) -> None:
        for _ in range(ticks):
            victim.good()
            for _ in range(90):
                data = next(rtp)
                if as_the_peer and len(data) >= 12:
                    data = data[:8] + PEER.to_bytes(4, "big") + data[12:]
                victim.rtp(data)
            for _ in range(10):
                victim.rtcp(next(rtcp))
            victim.tick()
            victim.tones.clear()
        gc.collect()

    flood(20)
    threads, things = threading.active_count(), held(victim.channel)
    tracemalloc.start()
    try:
        flood(10)
        before = tracemalloc.get_traced_memory()[0]
        flood(10)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200_000
    assert held(victim.channel) < things + 500
    assert threading.active_count() == threads
    assert victim.counted.packets + victim.counted.discarded >= 40 * 90


def test_a_flood_of_sources_is_forgotten_as_it_comes(victim: Victim) -> None:
    payload = victim.encoder.encode(bytes(320))
    for n in range(300):
        victim.good()
        for ssrc in range(20):
            source = 1000 + n * 20 + ssrc
            victim.rtp(build_packet(0, False, n, 160 * n, source, payload))
            victim.rtcp(reports(source, US))
        victim.tick()
    assert len(victim.channel.sources.since(0.0)) == 16
    assert victim.channel.sources.current is not None
    assert victim.channel.sources.current.ssrc == PEER
    assert victim.channel.sources.lost == 0
    assert victim.counted.discarded == 6000
    assert victim.channel.playout.stats.received == 300


def test_junk_costs_less_than_it_takes_to_send(victim: Victim) -> None:
    """At 100 Mbit/s 1,500 bytes take 120 µs."""
    rng = random.Random(8)
    packets = [next(junk) for junk in [bad_rtp(rng)] for _ in range(3000)]
    for _ in range(10):
        victim.good()
        victim.tick()
    begin = time.process_time()
    for data in packets:
        victim.rtp(data)
    assert (time.process_time() - begin) / len(packets) < 120e-6


@pytest.mark.parametrize("codec", [CODECS[0], CODECS[1], CODECS[3]], ids=lambda codec: codec.name)
def test_decoders_take_anything(codec: CodecSpec) -> None:
    """Or raise CodecError, which is caught where they are used."""
    rng = random.Random(4)
    decoder = make_decoder(codec)
    for data in [*RTP.values(), *(rng.randbytes(rng.randrange(1, MTU - 12)) for _ in range(200))]:
        with contextlib.suppress(CodecError):
            assert decoder.duration(data) >= 0
        with contextlib.suppress(CodecError):
            assert len(decoder.decode(data)) % 2 == 0
        with contextlib.suppress(CodecError):
            decoder.recover(data, decoder.rate // 50)
