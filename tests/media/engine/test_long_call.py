"""A long call on simulated time, from port to port through SRTP and a network of delays: clean to the last frame.

Twelve minutes as a rule; an hour in ``make nightly``, and with ``SIPUA_LONG=1``.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import numpy as np
import pytest
from pylibsrtp import Policy, Session

from sipua.media.codecs import CodecSpec
from sipua.media.engine.channel import AudioChannel
from sipua.media.engine.clock import AudioClock
from sipua.media.interface import AudioSink, AudioSource, MediaOptions, PcmStream
from sipua.media.port import CallAudio
from tests.stateful import is_night

MINUTES = 60 if is_night() or os.environ.get("SIPUA_LONG") == "1" else 12
RATE = 8000
FRAME = RATE // 50
LEVELS = 32
"""So many frames differ from each other."""


class Link:
    """One way through a network that keeps everything, in order, some milliseconds late."""

    def __init__(self, seed: int) -> None:
        key = os.urandom(30)
        self.to: AudioChannel | None = None
        self._tx = Session(self._policy(key, Policy.SSRC_ANY_OUTBOUND))
        self._rx = Session(self._policy(key, Policy.SSRC_ANY_INBOUND))
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(seed)
        self._last = 0.0

    @staticmethod
    def _policy(key: bytes, kind: int) -> Policy:
        policy = Policy(key=key, ssrc_type=kind)
        policy.window_size = 1024
        return policy

    def _arrival(self) -> float:
        self._last = max(self._last, self._loop.time() + 0.005 + 0.004 * self._rng.random())
        return self._last

    def send_rtp(self, packet: bytes) -> bool:
        self._loop.call_at(self._arrival(), self._rtp, self._tx.protect(packet))
        return True

    def send_rtcp(self, packet: bytes) -> bool:
        self._loop.call_at(self._arrival(), self._rtcp, self._tx.protect_rtcp(packet))
        return True

    def _rtp(self, data: bytes) -> None:
        if self.to is not None:
            self.to.rtp(self._rx.unprotect(data), self._loop.time())

    def _rtcp(self, data: bytes) -> None:
        if self.to is not None:
            self.to.rtcp_packet(self._rx.unprotect_rtcp(data), self._loop.time())

    def forget(self, ssrc: int) -> None:
        raise AssertionError("there is one source each way")


class Numbered(AudioSource):
    """A tone whose level tells the number of each frame, so that every one is known when it is heard."""

    def open(self, rate: int) -> PcmStream:
        assert rate == RATE
        wave = np.sin(2 * np.pi * 400 / RATE * np.arange(FRAME))
        frames = [(_height(n) * wave).astype("<i2").tobytes() for n in range(LEVELS)]

        class Stream(PcmStream):
            number = 0

            def read(self, samples: int) -> bytes:
                assert samples == FRAME
                frame = frames[self.number % LEVELS]
                self.number += 1
                return frame

        return Stream()


def _height(number: float) -> float:
    # Steps that PCMU keeps apart.
    return float(1000 * 1.1**number)


def _range(number: int) -> tuple[int, int]:
    return round(_height(number - 0.5)), round(_height(number + 0.5))


class Order(AudioSink):
    """Counts the steps from each frame's number to that of the next; all of them should be one."""

    def __init__(self) -> None:
        self.steps: Counter[int] = Counter()
        self.frames = 0
        self.silent = 0
        self._last: int | None = None
        self._numbers = {h: n for n in range(LEVELS) for h in range(*_range(n))}

    def write(self, pcm: bytes, rate: int) -> None:
        assert rate == RATE
        self.frames += 1
        height = int(np.frombuffer(pcm, "<i2").max())
        number = self._numbers.get(height)
        if number is None:
            self.silent += 1
        elif self._last is not None:
            self.steps[(number - self._last) % LEVELS] += 1
        self._last = number


def end(ssrc: int) -> AudioChannel:
    link = Link(ssrc)
    port = CallAudio(lambda error: None, asyncio.get_running_loop().time)
    channel = AudioChannel(link, port, MediaOptions(), ssrc, f"name{ssrc}")
    channel.set_codecs([CodecSpec("pcmu", 0, RATE)], [CodecSpec("pcmu", 0, RATE)])
    channel.set_direction("sendrecv")
    channel.active = True
    return channel


@pytest.mark.stateful
@pytest.mark.timeout(300)
async def test_a_long_call_is_clean() -> None:
    seconds = 60 * MINUTES
    a, b, order = end(1), end(2), Order()
    a._transport.to, b._transport.to = b, a  # type: ignore[attr-defined]
    a._port.source = Numbered()
    b._port.add_sink(order)
    # Both wrap on the way: the time stamps in the middle, the sequence numbers sooner.
    a.sender.timestamp = (1 << 32) - seconds * RATE // 2
    a.sender.sequence = 50000
    a.start()
    b.start()
    await asyncio.sleep(seconds)
    packets = pytest.approx(50 * seconds, abs=3)
    assert order.frames == packets
    # Before the first packet there is silence, and then nothing but one frame after the other.
    assert order.silent < 5
    assert set(order.steps) == {1}
    stats = b.playout.stats
    assert (stats.lost, stats.late, stats.concealed, stats.stretched, stats.compressed) == (0, 0, 0, 0, 0)
    assert stats.delay < 0.06
    for channel in (a, b):
        counted = channel.counters
        assert counted.sent.packets == packets
        assert counted.received.packets == packets
        assert (counted.received.discarded, counted.sent.failed, channel.sources.lost) == (0, 0, 0)
        assert (counted.sent.lost, counted.sent.fraction_lost) == (0, 0.0)
        assert counted.received.reports > seconds / 3
        assert counted.sent.round_trip.max < 0.03
    now = asyncio.get_running_loop().time()
    a.stop(now)
    b.stop(now)
    assert not AudioClock.running().ticking
