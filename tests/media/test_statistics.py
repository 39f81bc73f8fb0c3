"""What is made of counted figures; and real calls on loopback, whose figures must be plausible."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from sipua.media import emodel
from sipua.media.interface import MediaStats
from sipua.media.quality import Quality, losses
from sipua.media.sources import Silence, Tone
from sipua.media.statistics import (
    MediumStats,
    ReceivedStats,
    RemoteReceivedStats,
    RoundTripStats,
    SentStats,
    TransportStats,
)
from tests.media.calls import Heard, closing, connected, media, negotiate, until

CODEC = emodel.CodecQuality("G.107", 0.0, 25.1)


def received(**figures: Any) -> ReceivedStats:
    return ReceivedStats("r", **figures)


def medium(heard: ReceivedStats, name: str = "audio-1") -> MediumStats:
    loss, bursts = losses(heard)
    return MediumStats(
        id=name,
        kind="audio",
        timestamp=1.0,
        sent=SentStats("s", codec="PCMU/8000", packets=7, bytes=1120),
        received=heard,
        transport=TransportStats("t", local_candidate="host 192.0.2.1:4000"),
        direction="sendonly",
        remote_received=RemoteReceivedStats("p", lost=3, round_trip=RoundTripStats(0.2, 0.4, 0.3, 2)),
        quality=Quality.estimate(CODEC, delay=0.05, loss=loss, burst_ratio=bursts),
    )


def test_short_names_of_what_the_audio_has() -> None:
    heard = received(packets=90, bytes=14400, lost=10, discarded=2, jitter=0.001)
    stats = MediaStats("connected", 5.0, medium(heard))
    assert (stats.codec, stats.direction) == ("PCMU/8000", "sendonly")
    assert (stats.packets_sent, stats.bytes_sent) == (7, 1120)
    assert (stats.packets_received, stats.bytes_received) == (90, 14400)
    assert (stats.packets_lost, stats.packets_discarded, stats.packets_lost_remote) == (10, 2, 3)
    assert (stats.jitter, stats.rtt) == (0.001, 0.2)
    assert (stats.local_candidate, stats.remote_candidate) == ("host 192.0.2.1:4000", None)
    assert stats.mos is not None
    assert stats["audio"] is stats.audio
    assert stats["video"] is None


def test_short_names_without_media() -> None:
    names = [name for name, value in vars(MediaStats).items() if isinstance(value, property)]
    assert len(names) == 15
    assert {getattr(MediaStats(), name) for name in names} == {None, 0}


def test_everything_can_be_written_as_json() -> None:
    stats = MediaStats("connected", 5.0, medium(received(packets=9)), medium(received(bytes=None)))
    written = json.loads(json.dumps(stats.as_dict()))
    assert written["audio"]["remote_received"]["round_trip"] == {
        "last": 0.2,
        "max": 0.4,
        "mean": 0.3,
        "count": 2,
    }
    assert written["video"]["received"]["bytes"] is None
    assert written["audio"]["quality"]["model"] == "G.107"


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        MediaStats().state = "connected"  # type: ignore[misc]


def test_loss_is_of_what_was_to_be_played() -> None:
    assert losses(received(packets=90, lost=10)) == (0.1, 1.0)
    # With somebody listening, packets that came too late are missing too, and those that were recovered are not.
    assert losses(received(packets=98, lost=2, due=100, missing=8, bursts=2)) == pytest.approx((0.08, 3.68))
    assert losses(received()) == (0.0, 1.0)


def test_quality_of_a_part_of_the_call() -> None:
    before = medium(received(packets=1000, due=1000))
    after = medium(received(packets=1040, lost=10, due=1050, missing=10, bursts=10))
    assert before.quality is not None
    assert after.quality is not None
    part = after.quality_since(before)
    assert part is not None
    assert part.loss == pytest.approx(0.2)
    assert part.mos < after.quality.mos < before.quality.mos
    assert after.quality_since(None) == after.quality
    assert after.quality_since(medium(received(), "audio-2")) == after.quality
    assert after.quality_since(after) is None, "nothing has come since"
    assert dataclasses.replace(after, quality=None).quality_since(before) is None


# --- real calls -------------------------------------------------------------------------------------------


@pytest.mark.realtime
async def test_figures_of_a_call() -> None:
    a, b = media(codecs=("PCMU",), audio=Tone(500.0, level=-9.0)), media(audio=Silence())
    heard, other = Heard(), Heard()
    async with closing(a, b):
        a.audio.add_sink(heard)
        assert (a.stats().audio is None, b.stats().state) == (True, "new")
        await negotiate(a, b)
        await connected(a, b)
        # Nobody listens at b yet.
        await until(lambda: b.stats().packets_received > 5)
        audio = b.stats().audio
        assert audio is not None
        assert (audio.received.level, audio.received.due) == (None, 0)
        b.audio.add_sink(other)
        await until(lambda: all(s.stats().rtt is not None for s in (a, b)))
        await until(lambda: all(_told(s.stats()) for s in (a, b)))
        await until(lambda: _audio(b.stats()).received.due > 10)
        one, two = a.stats(), b.stats()
    _check(one, two)
    _check(two, one)
    assert _audio(one).sent.level == pytest.approx(-9, abs=1)
    assert _audio(two).received.level == pytest.approx(-9, abs=1)
    assert (_audio(two).sent.level, _audio(one).received.level) == (-127, -127)
    # After the end they are what they were, also when the other side was first.
    assert _audio(b.stats()).transport.dtls_cipher == _audio(two).transport.dtls_cipher
    assert a.stats().audio is not None
    assert a.stats().packets_sent >= one.packets_sent


def _audio(stats: MediaStats) -> MediumStats:
    assert stats.audio is not None
    return stats.audio


def _told(stats: MediaStats) -> bool:
    audio = _audio(stats)
    return audio.remote_sent is not None and audio.remote_sent.packets > 0


def _check(ours: MediaStats, theirs: MediaStats) -> None:
    """Both ends count the same, but for what is on the way."""
    one, two = _audio(ours), _audio(theirs)
    assert one.sent.ssrc == two.received.ssrc
    assert one.sent.bytes == 160 * one.sent.packets
    assert abs(one.sent.packets - two.received.packets) < 10
    assert (one.sent.codec, one.received.codec) == ("PCMU/8000", "PCMU/8000")
    assert (one.received.lost, one.received.discarded, one.sent.failed) == (0, 0, 0)
    assert one.remote_sent is not None
    assert 0 < one.remote_sent.packets <= two.sent.packets
    assert one.remote_sent.bytes == 160 * one.remote_sent.packets
    assert abs(one.remote_sent.time - one.timestamp) < 60
    assert one.remote_received is not None
    trip = one.remote_received.round_trip
    assert trip.last is not None
    assert trip.max is not None
    assert trip.mean is not None
    assert 0 <= trip.mean <= trip.max < 0.5
    assert 1 <= trip.count <= one.received.reports
    assert 0.0 <= one.received.jitter <= one.received.max_jitter < 0.1
    assert one.transport.dtls_state == "connected"
    assert one.transport.dtls_version == "DTLSv1.2"
    assert one.transport.dtls_cipher == two.transport.dtls_cipher is not None
    assert one.transport.srtp_profile == two.transport.srtp_profile is not None
    assert one.transport.local_candidate == two.transport.remote_candidate is not None
    assert one.quality is not None
    assert one.remote_quality is not None
    assert one.quality.mos > 4
    assert one.remote_quality.mos > 4
    assert 0.02 < one.quality.delay < 0.5
    assert json.dumps(ours.as_dict())


@pytest.mark.realtime
async def test_statistics_of_video() -> None:
    a, b = media(codecs=("PCMU",), video=True), media(video=True)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        stats = a.stats()
        assert stats.video is not None
        assert (stats.video.kind, stats.video.direction) == ("video", "sendrecv")
        assert stats.video.quality is None
        assert stats.video.received.bytes is None
        assert stats.video.sent.codec is not None
        assert stats.video.id != _audio(stats).id
        assert stats.video.transport.local_candidate is not None
        assert json.dumps(stats.as_dict())
