"""Playout: what is put in comes out, whole, in order, soon; and what is missing is not noticed."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from sipua.media.analysis import correlate
from sipua.media.codecs.base import AudioDecoder, CodecError
from sipua.media.codecs.comfort import ComfortNoiseDecoder
from sipua.media.codecs.g711 import G711Decoder, G711Encoder
from sipua.media.codecs.g722 import G722Decoder, G722Encoder
from sipua.media.engine.playout import Playout, PlayoutStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

PCMU, G722, NOISE = 0, 9, 13
FRAME = 160


def voice(seconds: float, rate: int = 8000, pitch: float = 125.0) -> bytes:
    """Something voiced: ten harmonics whose pitch and loudness move slowly."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * (pitch * t + 3 * np.sin(2 * np.pi * 0.7 * t))
    wave = sum(np.sin(k * phase) / k for k in range(1, 11)) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))
    return (wave * 5000).astype("<i2").tobytes()


def samples(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(float)


def decoded(pcm: bytes) -> bytes:
    return G711Decoder("pcmu").decode(G711Encoder("pcmu").encode(pcm))


class Arrival(NamedTuple):
    time: float
    index: int
    sequence: int
    timestamp: int
    payload: bytes


def sent(
    pcm: bytes, length: int = FRAME, start: float = 0.005, sequence: int = 0, timestamp: int = 0
) -> list[Arrival]:
    """G.711 packets of `length` samples, as they arrive when nothing goes wrong."""
    payload = G711Encoder("pcmu").encode(pcm)
    return [
        Arrival(
            start + n * length / 8000,
            n,
            (sequence + n) & 0xFFFF,
            (timestamp + n * length) & 0xFFFFFFFF,
            payload[n * length : (n + 1) * length],
        )
        for n in range(len(payload) // length)
    ]


class Line:
    """A playout, its arrivals, and what came out."""

    def __init__(self, **options: float) -> None:
        decoders: dict[int, AudioDecoder] = {
            PCMU: G711Decoder("pcmu"),
            G722: G722Decoder(),
            NOISE: ComfortNoiseDecoder(),
        }
        self.playout = Playout(decoders.get, **options)  # type: ignore[arg-type]
        self.ticks = 0
        self.heard: list[bytes] = []
        self.trace: list[PlayoutStats] = []

    def run(
        self,
        arrivals: Iterable[Arrival],
        seconds: float | None = None,
        payload_type: int = PCMU,
        ssrc: int = 0,
    ) -> bytes:
        """Until all has come and been played; what was heard meanwhile."""
        waiting = sorted(arrivals)
        first = len(self.heard)
        until = self.ticks + round(seconds * 50) if seconds is not None else math.inf
        while (waiting or seconds is not None) and self.ticks < until:
            now = self.ticks * 0.02
            while waiting and waiting[0].time <= now:
                p = waiting.pop(0)
                self.playout.put(payload_type, p.sequence, p.timestamp, False, p.payload, p.time, ssrc)
            self.pull()
        return b"".join(self.heard[first:])

    def pull(self, count: int = 1) -> bytes:
        for _ in range(count):
            pcm = self.playout.pull(self.ticks * 0.02)
            assert len(pcm) == self.playout.rate // 50 * 2
            self.heard.append(pcm)
            self.ticks += 1
            self.trace.append(self.playout.stats)
        return b"".join(self.heard[-count:])

    @property
    def stats(self) -> PlayoutStats:
        return self.playout.stats


def clicks(pcm: bytes, reference: bytes) -> float:
    """The greatest step between two samples, beside that of the original."""
    return float(np.abs(np.diff(samples(pcm))).max() / np.abs(np.diff(samples(reference))).max())


# --- undisturbed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [80, 160, 240, 320, 480])
@pytest.mark.parametrize("start", [0.001, 0.0105, 0.019])
def test_undisturbed_packets_of_any_length_come_out_as_they_are(length: int, start: float) -> None:
    pcm = voice(2.4)
    line = Line()
    heard = line.run(sent(pcm, length, start), seconds=2.6)
    assert decoded(pcm) in heard
    stats = line.stats
    assert (stats.received, stats.lost, stats.concealed, stats.stretched, stats.compressed) == (
        len(pcm) // 2 // length,
        0,
        0,
        0,
        0,
    )


def test_the_delay_is_one_frame_or_so() -> None:
    for start in (0.0, 0.004, 0.0099, 0.015, 0.0199):
        line = Line()
        line.run(sent(voice(0.5), start=start))
        assert 0.0099 <= line.stats.delay <= 0.0301


def test_small_jitter_changes_nothing() -> None:
    rnd = random.Random(3)
    pcm = voice(5)
    line = Line()
    heard = line.run(
        [p._replace(time=p.time + rnd.random() * 0.003) for p in sent(pcm, start=0.0)], seconds=5.1
    )
    assert decoded(pcm) in heard
    assert line.stats.delay < 0.03


def test_sequence_numbers_and_timestamps_wrap() -> None:
    pcm = voice(1)
    heard = Line().run(sent(pcm, sequence=65530, timestamp=2**32 - 800), seconds=1.1)
    assert decoded(pcm) in heard


def test_reordered_and_duplicate_packets_that_come_in_time_are_put_right() -> None:
    pcm = voice(1)
    packets = [p._replace(time=p.time + 0.012) if p.index % 5 == 2 else p for p in sent(pcm, start=0.0)]
    early = [p._replace(time=p.time - 0.009) if p.index % 5 == 3 else p for p in packets]
    line = Line(min_delay=0.04)
    heard = line.run(early + packets[3::7], seconds=1.2)
    assert decoded(pcm) in heard
    assert line.stats.duplicates == len(packets[3::7])
    assert line.stats.lost == 0


def test_silence_before_anything_comes_and_nothing_flows() -> None:
    line = Line()
    assert line.pull(3) == bytes(960)
    assert not line.playout.flowing
    line.run(sent(voice(0.1)))
    assert line.playout.flowing
    line.pull(60)
    assert not line.playout.flowing


# --- loss ---------------------------------------------------------------------------------------------------


def test_at_5_percent_loss_all_but_1_percent_is_delivered_or_concealed() -> None:
    rnd = random.Random(5)
    packets = sent(voice(20))
    kept = [p for p in packets if rnd.random() >= 0.05 or p.index == len(packets) - 1]
    line = Line()
    line.run(kept)
    stats = line.stats
    missing = len(packets) - len(kept)
    assert stats.lost == missing > 30
    assert stats.received + stats.concealed / FRAME >= 0.99 * len(packets)
    # Nothing is silent, either.
    quiet = [np.sqrt(np.mean(samples(pcm) ** 2)) < 300 for pcm in line.heard[3:-2]]
    assert sum(quiet) <= 0.01 * len(quiet)


def test_a_lost_packet_is_not_heard_as_a_gap_or_a_click_and_leaves_no_delay() -> None:
    pcm = voice(2)
    line = Line()
    heard = line.run([p for p in sent(pcm) if p.index != 50], seconds=2.1)
    assert np.sqrt(np.mean(samples(heard[51 * 320 : 52 * 320]) ** 2)) > 3000
    assert clicks(heard, decoded(pcm)) < 1.3
    assert correlate(decoded(pcm), heard).correlation > 0.99
    assert heard[52 * 320 + 160 : 60 * 320] in decoded(pcm)
    assert line.stats.lost == 1
    assert line.stats.concealed == FRAME
    # Back at the target at once.
    assert max(s.delay for s in line.trace[50:100]) < 0.03


def test_a_long_gap_fades_to_silence() -> None:
    line = Line()
    line.run([p for p in sent(voice(1)) if not 20 <= p.index < 40], seconds=1.1)
    levels = [np.abs(samples(pcm)).max() for pcm in line.heard]
    assert levels[21] > levels[23] > 0
    assert max(levels[25:39]) == 0
    assert line.stats.lost == 20


def test_a_late_packet_whose_successor_is_in_time_is_given_up() -> None:
    pcm = voice(1)
    line = Line()
    heard = line.run(
        [p._replace(time=p.time + 0.019) if p.index == 20 else p for p in sent(pcm)], seconds=1.1
    )
    assert (line.stats.late, line.stats.lost) == (1, 1)
    assert correlate(decoded(pcm), heard).correlation > 0.98
    assert line.stats.delay < 0.03


# --- delay --------------------------------------------------------------------------------------------------


def settled(line: Line, since: float, most: float = 0.031) -> float:
    """Seconds after `since` from which on the delay was never more than `most` again."""
    last = max((n for n, stats in enumerate(line.trace) if stats.delay > most), default=0)
    return last * 0.02 - since


def test_after_a_stall_of_200_ms_nothing_is_missing_and_the_delay_is_back_within_5_seconds() -> None:
    pcm = voice(9)
    stalled = [p._replace(time=2.2) if 2.0 <= p.time < 2.2 else p for p in sent(pcm)]
    line = Line()
    heard = line.run(stalled)
    stats = line.stats
    assert stats.lost == stats.discarded == 0
    assert max(s.delay for s in line.trace) > 0.15
    assert settled(line, 2.2) < 5
    assert stats.compressed * 2 + 320 * 3 > 0.15 * 16000
    assert clicks(heard, decoded(pcm)) < 1.5


def test_jitter_of_80_ms_is_waited_for_and_no_longer_than_it_lasts() -> None:
    rnd = random.Random(8)
    packets = sent(voice(36))
    shaken = [p._replace(time=p.time + rnd.random() * 0.08) if 4 <= p.time < 14 else p for p in packets]
    line = Line()
    line.run(shaken)
    assert 0.06 < np.mean([s.delay for s in line.trace[300:700]]) < 0.115
    # Once it is known, hardly anything comes too late.
    late = line.trace[700].late - line.trace[250].late
    assert late <= 4
    assert settled(line, 14) < 20


def test_a_stall_longer_than_the_buffer_loses_the_oldest_only() -> None:
    pcm = voice(16)
    stalled = [p._replace(time=3.0) if 1.0 <= p.time < 3.0 else p for p in sent(pcm)]
    line = Line()
    line.run(stalled)
    assert 60 < line.stats.discarded < 80
    assert settled(line, 3.0) < 12
    assert line.heard[-10] != bytes(320)


@pytest.mark.parametrize("ppm", [100, -100])
def test_a_clock_that_is_off_by_100_ppm_leaves_no_gap_and_no_delay(ppm: int) -> None:
    # Silence between words is where 20 ms in 200 s are hidden; here there is none: a tone all the way.
    payload = G711Encoder("pcmu").encode(voice(0.02, pitch=200.0))
    line = Line()
    line.run(
        Arrival(0.003 + n * 0.02 * (1 + ppm * 1e-6), n, n & 0xFFFF, n * 160, payload) for n in range(50 * 900)
    )
    stats = line.stats
    assert stats.lost == stats.concealed == stats.late == stats.discarded == 0
    assert max(s.delay for s in line.trace) < 0.046
    # Samples that the sender's clock has made in the time, more or fewer than ours.
    assert stats.stretched - stats.compressed == pytest.approx(900 * ppm * 1e-6 * 8000, abs=170)


def test_a_pull_that_is_late_once_changes_nothing() -> None:
    pcm = voice(1)
    playout = Playout({PCMU: G711Decoder("pcmu")}.get)
    heard = b""
    for p in sent(pcm, start=0.0):
        playout.put(PCMU, p.sequence, p.timestamp, False, p.payload, p.time)
        heard += playout.pull(p.time + (0.019 if p.index % 10 else 0.0399))
    assert heard == decoded(pcm)


def test_a_burst_before_the_first_pull_does_not_stay_as_delay() -> None:
    line = Line()
    for p in sent(voice(1.0)):
        line.playout.put(PCMU, p.sequence, p.timestamp, False, p.payload, p.time)
    line.ticks = 50
    line.pull()
    assert line.stats.delay < 0.13


# --- pauses -------------------------------------------------------------------------------------------------


def test_a_pause_of_the_sender_is_no_loss_and_what_follows_is_whole() -> None:
    pcm = voice(1)
    packets = sent(pcm)
    paused = [
        p if p.index < 20 else p._replace(time=p.time + 0.5, timestamp=p.timestamp + 4000) for p in packets
    ]
    line = Line()
    heard = line.run(paused, seconds=1.7)
    assert decoded(pcm)[20 * 320 + 160 :] in heard
    stats = line.stats
    assert stats.lost == stats.concealed == 0
    assert stats.delay < 0.03


def test_comfort_noise_lasts_until_speech_is_back() -> None:
    line = Line()
    packets = sent(voice(0.4))
    line.run(packets)
    line.playout.put(NOISE, 20, 20 * 160, False, bytes([40]), 0.405)
    noise = samples(line.pull(100)[3200:])
    assert -43 < 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32768) < -37
    assert line.playout.flowing
    speech = voice(0.4)
    heard = line.run(sent(speech, start=2.4, sequence=21, timestamp=20 * 160 + 16000), seconds=0.5)
    assert decoded(speech) in heard
    assert line.stats.lost == line.stats.concealed == 0


def test_comfort_noise_at_8_khz_under_g722() -> None:
    line = Line()
    payload = G722Encoder().encode(voice(0.02, 16000))
    line.playout.put(G722, 1, 0, True, payload, 0.0)
    line.ticks = 1
    line.pull()
    assert line.playout.rate == 16000
    line.playout.put(NOISE, 2, 160, False, bytes([40]), 0.02)
    assert np.abs(samples(line.pull(10)[640:])).max() > 100


def test_telephone_events_are_not_lost_audio() -> None:
    pcm = voice(1)
    packets = sent(pcm)
    line = Line()
    for p in packets:
        if 20 <= p.index < 28:
            line.playout.skip(p.sequence, packets[20].timestamp, p.time)
            line.run([])
            line.pull()
        else:
            line.run([p])
    line.pull(2)
    assert line.stats.lost == 0
    assert decoded(pcm)[29 * 320 : 45 * 320] in b"".join(line.heard)


def test_a_telephone_event_that_overtakes_audio_does_not_harm_it() -> None:
    pcm = voice(0.5)
    packets = sent(pcm)
    line = Line(min_delay=0.04)
    line.run(packets[:10])
    line.playout.skip(12, 0, 0.2)
    line.run(packets[10:12])
    line.run(p._replace(sequence=p.sequence + 1) for p in packets[12:])
    line.pull(4)
    assert decoded(pcm) in b"".join(line.heard)
    assert line.stats.lost == 0


# --- other streams ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequence", "timestamp", "ssrc"),
    [
        (50, 8000 + 9_000_000, 7),
        (50, 8000 - 4000, 7),
        (40000, 5, 7),
        (40000, 5, 8),
        (49, 8000, 8),
        (50, 2**31, 7),
    ],
    ids=["ts forward", "ts back", "both", "all", "ssrc only", "half"],
)
def test_a_sender_that_begins_anew_is_heard_at_once(sequence: int, timestamp: int, ssrc: int) -> None:
    first, second = voice(1), voice(1, pitch=170.0)
    line = Line()
    line.run(sent(first), ssrc=7)
    line.run(sent(second, start=1.005, sequence=sequence, timestamp=timestamp), seconds=1.1, ssrc=ssrc)
    heard = b"".join(line.heard)
    assert correlate(decoded(second), heard).correlation > 0.95
    assert line.stats.delay < 0.035
    # A packet that may have been a stray one is played, too, when a second one follows.
    assert line.stats.lost == line.stats.discarded == 0


def test_another_codec_in_the_middle() -> None:
    line = Line()
    line.run(sent(voice(0.4)))
    wide = voice(0.6, 16000)
    payload = G722Encoder().encode(wide)
    packets = [
        Arrival(0.405 + n * 0.02, n, 20 + n, (20 + n) * 160, payload[n * 160 : n * 160 + 160])
        for n in range(30)
    ]
    start = len(line.heard)
    line.run(packets, seconds=0.7, payload_type=G722)
    assert line.playout.rate == 16000
    heard = b"".join(pcm for pcm in line.heard[start:] if len(pcm) == 640)
    assert correlate(wide, heard, rate=16000).correlation > 0.95
    assert line.stats.lost == 0


def test_junk_is_counted_and_changes_nothing() -> None:
    pcm = voice(1)
    line = Line()
    packets = sent(pcm)
    for p in packets:
        line.run([p])
        line.playout.put(77, p.sequence + 20000 & 0xFFFF, 5, False, b"junk" * 375, p.time)
        line.playout.put(77, p.sequence + 1, 5, False, b"junk", p.time, ssrc=99)
        line.playout.put(PCMU, p.index * 7919 & 0xFFFF, p.index, False, bytes(1500), p.time, ssrc=p.index + 1)
    line.pull(3)
    assert decoded(pcm) in b"".join(line.heard)
    # Eight strangers are kept, in case that they go on.
    assert line.stats.discarded == 3 * 50 - 8
    assert line.stats.lost == 0


def test_a_malformed_payload_is_as_good_as_lost() -> None:
    line = Line()
    line.run(p._replace(payload=b"") if p.index == 10 else p for p in sent(voice(0.5)))
    assert (line.stats.discarded, line.stats.lost, line.stats.concealed) == (1, 1, FRAME)
    assert line.stats.delay < 0.03


def test_reset_forgets_the_stream_but_not_the_counters() -> None:
    line = Line()
    line.run(sent(voice(0.4)))
    line.playout.reset()
    assert not line.playout.flowing
    assert line.pull() == bytes(320)
    assert line.stats.received == 20
    pcm = voice(0.4, pitch=150.0)
    assert decoded(pcm) in line.run(sent(pcm, start=0.425, sequence=9), seconds=0.6)


# --- decoders that do more ----------------------------------------------------------------------------------


class Redundant(AudioDecoder):
    """Each payload is two bytes: its own level and that of the packet before, as in-band error correction has it."""

    rate = clock_rate = 48000

    def __init__(self, recovers: bool = True) -> None:
        self.calls: list[str] = []
        self.recovers = recovers

    def duration(self, payload: bytes) -> int:
        return 960

    def _pcm(self, level: int, count: int) -> bytes:
        return bytes([level, 0]) * count

    def decode(self, payload: bytes) -> bytes:
        if len(payload) != 2:
            raise CodecError("length")
        self.calls.append("decode")
        return self._pcm(payload[0], 960)

    def recover(self, payload: bytes, samples: int) -> bytes | None:
        self.calls.append(f"recover {samples}")
        return self._pcm(payload[1], samples) if self.recovers else None

    def conceal(self, samples: int) -> bytes | None:
        if samples % 120:
            raise CodecError("steps of 2.5 ms")
        self.calls.append(f"conceal {samples}")
        return self._pcm(99, samples)


def redundant(decoder: Redundant, lost: Callable[[int], bool], **options: float) -> Playout:
    playout = Playout({111: decoder}.get, **options)  # type: ignore[arg-type]
    for n in range(50):
        if not lost(n):
            playout.put(111, n, n * 960, False, bytes([n, n - 1 & 255]), n * 0.02)
        playout.pull(n * 0.02 + 0.015)
    return playout


def test_a_lost_packet_comes_out_of_its_successor_when_that_is_here() -> None:
    decoder = Redundant()
    playout = redundant(decoder, lambda n: n == 20, min_delay=0.03)
    assert decoder.calls.count("recover 960") == 1
    assert not any(call.startswith("conceal") for call in decoder.calls)
    assert (playout.stats.recovered, playout.stats.lost, playout.stats.concealed) == (1, 1, 0)


def test_otherwise_the_decoder_conceals() -> None:
    decoder = Redundant(recovers=False)
    playout = redundant(decoder, lambda n: n in (20, 30, 31))
    assert decoder.calls.count("conceal 960") == 3
    assert (playout.stats.recovered, playout.stats.lost, playout.stats.concealed) == (0, 3, 3 * 960)


def test_losses_that_go_on_are_recovered_although_the_delay_was_too_short_for_that_at_first() -> None:
    decoder = Redundant()
    playout = Playout({111: decoder}.get)
    for n in range(1000):
        if n % 20 != 10:
            playout.put(111, n, n * 960, False, bytes([n & 255, n - 1 & 255]), n * 0.02)
        playout.pull(n * 0.02 + 0.015)
    assert (playout.stats.lost, playout.stats.recovered) == (50, 47)
    assert playout.stats.delay < 0.06
