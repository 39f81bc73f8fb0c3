"""Two channels and a network of delays, on simulated time: everything between two audio ports but SRTP."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import Any

import pytest

from sipua.errors import MediaError, MediaNegotiationError
from sipua.media.analysis import detect_tones
from sipua.media.codecs import CodecSpec
from sipua.media.engine.channel import AudioChannel
from sipua.media.engine.clock import AudioClock
from sipua.media.engine.rtp import AUDIO_LEVEL_URI, MID_URI, parse_extensions, parse_packet
from sipua.media.interface import AudioSource, MediaOptions, PcmStream
from sipua.media.port import CallAudio
from sipua.media.sources import Tone
from sipua.testing import SimulatedLoop
from tests.media.calls import Heard

PCMU = CodecSpec("pcmu", 0, 8000)
OPUS = CodecSpec("opus", 96, 48000, 2)
EVENTS = CodecSpec("telephone-event", 101, 8000)


class Link:
    """Carries packets to the channel at the other end, late, and loses some."""

    def __init__(self) -> None:
        self.to: AudioChannel | None = None
        self.delay, self.jitter, self.loss = 0.005, 0.0, 0.0
        self.up = True
        self.rng = random.Random(11)
        self.rtp: list[tuple[float, bytes]] = []
        self.rtcp: list[bytes] = []
        self.forgotten: list[int] = []

    def send_rtp(self, packet: bytes) -> bool:
        if not self.up:
            return False
        loop = asyncio.get_running_loop()
        self.rtp.append((loop.time(), packet))
        if self.to is not None and self.rng.random() >= self.loss:
            late = self.delay + self.rng.uniform(0, self.jitter)
            loop.call_later(late, lambda to=self.to: to.rtp(packet, loop.time()))
        return True

    def send_rtcp(self, packet: bytes) -> bool:
        loop = asyncio.get_running_loop()
        self.rtcp.append(packet)
        if self.to is not None:
            loop.call_later(self.delay, lambda to=self.to: to.rtcp_packet(packet, loop.time()))
        return True

    def forget(self, ssrc: int) -> None:
        self.forgotten.append(ssrc)


class End:
    def __init__(self, ssrc: int, codec: CodecSpec = PCMU) -> None:
        self.errors: list[MediaError] = []
        self.link = Link()
        self.port = CallAudio(self.errors.append, asyncio.get_running_loop().time)
        self.channel = AudioChannel(self.link, self.port, MediaOptions(), ssrc, f"name{ssrc}")
        self.channel.set_codecs([codec, EVENTS], [codec, EVENTS])
        self.channel.set_direction("sendrecv")
        self.channel.active = True

    def listen(self) -> Heard:
        heard = Heard()
        self.port.add_sink(heard)
        return heard


def pair(codec: CodecSpec = PCMU) -> tuple[End, End]:
    a, b = End(1, codec), End(2, codec)
    a.link.to, b.link.to = b.channel, a.channel
    a.channel.start()
    b.channel.start()
    return a, b


def stop(*ends: End) -> None:
    now = asyncio.get_running_loop().time()
    for end in ends:
        end.channel.stop(now)
        end.channel.stop(now)
    assert not AudioClock.running().ticking


class Pulse(AudioSource):
    """One loud frame, once."""

    def __init__(self, after: int) -> None:
        self.after = after

    def open(self, rate: int) -> PcmStream:
        after = self.after

        class Stream(PcmStream):
            def __init__(self) -> None:
                self.count = 0

            def read(self, samples: int) -> bytes:
                self.count += 1
                return (b"\x00\x30" if self.count == after else b"\0\0") * samples

        return Stream()


def onset(heard: Heard) -> float:
    """Seconds from the beginning to the first loud sample."""
    for place in range(0, len(heard.pcm), 2):
        if abs(int.from_bytes(heard.pcm[place : place + 2], "little", signed=True)) > 3000:
            return place / 2 / heard.rate
    raise AssertionError("nothing was heard")


@pytest.mark.parametrize("codec", [PCMU, CodecSpec("g722", 9, 8000), OPUS])
async def test_from_mouth_to_ear_in_60_ms(codec: CodecSpec) -> None:
    a, b = pair(codec)
    heard = b.listen()
    a.port.source = Pulse(51)
    await asyncio.sleep(2)
    # Said in the tick at 1.0 s, heard so much later.
    assert onset(heard) - 1.0 <= 0.06
    assert len(heard.pcm) / 2 / heard.rate == pytest.approx(2.0, abs=0.03)
    assert heard.rate == b.channel.playout.rate
    stop(a, b)


async def test_counters_agree() -> None:
    a, b = pair()
    b.listen()
    await asyncio.sleep(10)
    sent, received = a.channel.counters.sent, b.channel.counters.received
    assert 499 <= sent.packets <= 501
    assert received.packets >= sent.packets - 1
    assert received.bytes == received.packets * 160
    assert received.discarded == 0
    assert b.channel.sources.lost == 0
    assert sent.round_trip.last == pytest.approx(0.01, abs=0.001)
    assert sent.round_trip.measured >= 5
    assert 8 <= sent.reports <= 25
    assert b.channel.counters.received.reports == pytest.approx(sent.reports, abs=1)
    stop(a, b)
    # A good-bye was the last thing.
    await asyncio.sleep(0.1)
    assert b.channel.sources.current is not None
    assert b.channel.sources.current.left


async def test_loss_is_seen_on_both_sides() -> None:
    a, b = pair()
    b.listen()
    a.link.loss = 0.05
    fractions = set()
    for _ in range(60):
        await asyncio.sleep(1)
        fractions.add(a.channel.counters.sent.fraction_lost)
    lost = b.channel.sources.lost
    assert 100 < lost < 200
    assert a.channel.counters.sent.lost == pytest.approx(lost, abs=10)
    assert 0.02 < max(fractions) < 0.4
    stop(a, b)


async def test_hold_stops_packets_not_reports_and_the_recording_goes_on() -> None:
    a, b = pair()
    heard = b.listen()
    a.port.source = Tone(440.0)
    await asyncio.sleep(1)
    a.channel.set_direction("inactive")
    b.channel.set_direction("inactive")
    await asyncio.sleep(0.02)  # in which the sound fades
    before, reports = len(a.link.rtp), len(a.link.rtcp)
    await asyncio.sleep(5)
    assert len(a.link.rtp) == before
    assert len(a.link.rtcp) > reports
    a.channel.set_direction("sendrecv")
    b.channel.set_direction("sendrecv")
    await asyncio.sleep(1)
    assert len(heard.pcm) / 16000 == pytest.approx(7.02, abs=0.03)
    assert any(heard.pcm[-3200:])
    assert not any(heard.pcm[16000 * 3 : 16000 * 5])
    resumed = parse_packet(a.link.rtp[before][1])
    assert resumed is not None
    assert resumed[1]
    stop(a, b)


async def test_a_change_of_codec_is_heard_at_once() -> None:
    a, b = pair()
    heard = b.listen()
    a.port.source = Tone(440.0)
    await asyncio.sleep(1)
    for end in (a, b):
        end.channel.set_codecs([OPUS, PCMU], [OPUS, PCMU])
    assert a.port.outlet.rate == 48000
    heard.pcm.clear()
    await asyncio.sleep(1)
    assert heard.rate == 48000
    assert any(heard.pcm[-9600:])
    kinds = [parsed[0] for _, packet in a.link.rtp if (parsed := parse_packet(packet))]
    assert kinds == sorted(kinds)
    sources = {parsed[4] for _, packet in a.link.rtp if (parsed := parse_packet(packet))}
    assert sources == {1}
    stop(a, b)


async def test_only_the_active_channel_speaks_for_the_call() -> None:
    a, b = pair()
    heard = b.listen()
    a.port.source = Tone(440.0)
    other = AudioChannel(Link(), a.port, MediaOptions(), 3, "other")
    other.set_codecs([PCMU], [PCMU])
    other.set_direction("sendrecv")
    await asyncio.sleep(0.5)
    a.channel.active = False
    other.active = True
    other.start()
    heard.pcm.clear()
    await asyncio.sleep(1)
    # The peer of the branch that is not in use hears silence, in packets.
    assert not any(heard.pcm[-8000:])
    assert len(a.link.rtp) > 70
    other.stop(0.0)
    stop(a, b)


async def test_nothing_is_decoded_while_nobody_listens() -> None:
    a, b = pair()
    await asyncio.sleep(1)
    assert b.channel.counters.received.packets >= 49
    assert b.channel.playout.stats.received == 0
    reader = b.port.read(8000)
    a.port.source = Tone(440.0)
    await asyncio.sleep(0.5)
    assert any([any(await anext(reader)) for _ in range(20)])
    reader.close()
    stop(a, b)


async def test_a_listener_besides_the_port() -> None:
    a, b = pair()
    frames: list[tuple[bytes, int]] = []
    b.channel.listener = lambda pcm, rate: frames.append((pcm, rate))
    await asyncio.sleep(1)
    assert 49 <= len(frames) <= 51
    assert {(len(pcm), rate) for pcm, rate in frames} == {(320, 8000)}
    stop(a, b)


async def test_tones_reach_the_other_port() -> None:
    a, b = pair()
    told: list[tuple[str, float, str]] = []
    b.port.dtmf.tell = lambda tone, duration, transport: told.append((tone, round(duration, 3), transport))
    await a.port.dtmf.send("42#", 100, 50, "RFC4733")
    await asyncio.sleep(0.5)
    assert told == [("4", 0.1, "RFC4733"), ("2", 0.1, "RFC4733"), ("#", 0.1, "RFC4733")]
    assert b.channel.sources.lost == 0
    stop(a, b)


async def test_codecs_without_audio_are_refused() -> None:
    a, b = pair()
    with pytest.raises(MediaNegotiationError):
        a.channel.set_codecs([EVENTS], [EVENTS])
    assert a.channel.codec == PCMU
    stop(a, b)


async def test_extensions_as_negotiated() -> None:
    a, b = pair()
    a.channel.set_extensions({AUDIO_LEVEL_URI: 2, MID_URI: 1, "urn:other": 5}, "0")
    await asyncio.sleep(0.1)
    assert parse_extensions(a.link.rtp[-1][1]) == {1: b"0", 2: bytes([127])}
    stop(a, b)


async def test_a_loop_that_was_held_up_sends_no_burst_and_loses_no_time() -> None:
    a, b = pair()
    heard = b.listen()
    await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    loop._now += 1.0
    await asyncio.sleep(1)
    times = [moment for moment, _ in a.link.rtp]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.005 - 1e-9
    stamps = [parsed[3] for _, packet in a.link.rtp if (parsed := parse_packet(packet))]
    assert (stamps[-1] - stamps[0]) % (1 << 32) == pytest.approx(3 * 8000, abs=320)
    assert len(heard.pcm) / 16000 == pytest.approx(3.0, abs=0.05)
    stop(a, b)


@pytest.mark.parametrize("hold_up", [0.03, 0.06, 0.09])
async def test_a_short_delay_of_the_loop_now_and_then_is_not_heard(hold_up: float) -> None:
    a, b = pair()
    heard = b.listen()
    a.port.source = Tone(440.0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    for _ in range(5):
        await asyncio.sleep(10.013)
        loop._now += hold_up
    await asyncio.sleep(0.5)
    stats = b.channel.playout.stats
    assert (stats.stretched, stats.compressed, stats.concealed, stats.lost) == (0, 0, 0, 0)
    assert stats.jitter < 0.001
    assert detect_tones(bytes(heard.pcm[-16000:]), [440, 900], rate=8000) == [440]
    stop(a, b)


async def test_short_delays_of_the_loop_all_the_time_cost_a_little_delay_once() -> None:
    a, b = pair()
    b.listen()
    a.port.source = Tone(440.0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    for _ in range(20):
        await asyncio.sleep(1.013)
        loop._now += 0.05
    stats = b.channel.playout.stats
    assert (stats.concealed, stats.lost) == (0, 0)
    assert 0 <= stats.stretched - stats.compressed <= 2 * 160
    assert stats.stretched <= 3 * 160
    stop(a, b)


async def test_sender_reports_map_time_also_in_a_late_tick_and_within_a_packet() -> None:
    a, b = pair(CodecSpec("pcmu", 0, 8000, ptime=60))
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    start, stamp = loop.time(), a.channel.sender.timestamp
    reports = []

    def report(now: float, timestamp: int) -> bytes:
        reports.append((now - start, (timestamp - stamp) % (1 << 32)))
        return original(now, timestamp)

    original, a.channel.rtcp.report = a.channel.rtcp.report, report  # type: ignore[method-assign]
    for _ in range(40):
        await asyncio.sleep(0.5)
        loop._now += 0.05
    assert len(reports) > 10
    assert [rtp / 8000 for _, rtp in reports] == pytest.approx([now for now, _ in reports], abs=0.001)
    stop(a, b)


async def test_a_source_and_a_sink_that_fail_stop_nothing() -> None:
    class Broken(Heard):
        def write(self, pcm: bytes, rate: int) -> None:
            raise ZeroDivisionError

    class Bad(AudioSource):
        def open(self, rate: int) -> PcmStream:
            raise ZeroDivisionError

    a, b = pair()
    b.port.add_sink(Broken())
    b.port.source = Bad()
    heard = b.listen()
    await asyncio.sleep(1)
    assert len(b.errors) == 2
    assert len(heard.pcm) / 16000 == pytest.approx(1.0, abs=0.03)
    assert len(b.link.rtp) >= 49
    stop(a, b)


async def test_a_cancelled_future_of_the_application_stops_nobodys_clock() -> None:
    class Cancelled(Heard, AudioSource):
        """Asks for the result of a future that was cancelled: a source, a sink and a tap."""

        def read(self, samples: int) -> bytes:
            raise asyncio.CancelledError

        def write(self, pcm: bytes, rate: int) -> None:
            raise asyncio.CancelledError

        def open(self, rate: int = 0) -> Any:
            return self

        def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
            raise asyncio.CancelledError

    a, b = pair()
    other, listener = pair()
    other.port.source = Tone(440)
    heard = listener.listen()
    for use in (b.port.add_sink, b.port.add_tap, b.port.play):
        use(Cancelled())
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.7)
    assert [str(error).rpartition(" ")[2] for error in b.errors] == ["CancelledError"] * 3
    assert len(b.link.rtp) >= 49
    assert detect_tones(bytes(heard.pcm[-3200:]), [440, 900]) == [440]
    stop(a, b, other, listener)


async def test_junk_is_counted() -> None:
    a, b = pair()
    for data in (b"", b"\x80\xc9\x00", b"\x80\xc9\x00\x09" + bytes(8)):
        b.channel.rtcp_packet(data, 0.0)
    b.channel.rtp(b"\x80", 0.0)
    b.channel.rtp(b"\x80\x4d" + bytes(30), 0.0)
    assert b.channel.counters.received.discarded == 4
    stop(a, b)


async def test_a_handler_of_tones_that_raises_harms_nobody() -> None:
    a, b = pair()

    def fails(tone: str, duration: float, transport: str) -> None:
        raise ZeroDivisionError

    b.port.dtmf.tell = fails
    await a.port.dtmf.send("1", 100, 50, "RFC4733")
    await asyncio.sleep(0.5)
    assert b.channel.counters.received.packets > 15
    stop(a, b)


async def test_a_stream_begins_in_a_tick_that_is_on_time_and_says_all_then() -> None:
    other, late = End(1), End(2)
    other.channel.start()
    await asyncio.sleep(0.05)
    late.port.play(Pulse(after=1))
    late.channel.start()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    loop._now += 0.08
    await asyncio.sleep(0.2)
    # What is made up for would tell the peer that packets take 60 ms.
    begun = late.link.rtp[0][0]
    stamps = [int.from_bytes(packet[4:8], "big") for _, packet in late.link.rtp]
    transits = [then - stamp / 8000 for (then, _), stamp in zip(late.link.rtp, stamps, strict=True)]
    assert min(transits) >= transits[0] - 0.0051
    assert begun < 0.25
    assert late.link.rtp[0][1][12:] != late.link.rtp[1][1][12:]
    stop(other, late)


async def test_a_loop_that_is_never_on_time_still_sends() -> None:
    end = End(1)
    end.channel.start()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    for _ in range(20):
        await asyncio.sleep(0)
        loop._now += 0.035
        await asyncio.sleep(0.0001)
    assert end.link.rtp
    stop(end)


async def test_silence_has_the_rate_of_the_codec_before_anything_is_heard() -> None:
    end = End(1, OPUS)
    rates: list[int] = []
    end.channel.listener = lambda pcm, rate: rates.append(rate)
    end.channel.start()
    await asyncio.sleep(0.1)
    assert set(rates) == {48000}
    stop(end)
