"""`RTCSession.stats` and the ``stats`` event, with media whose figures are made up."""

from __future__ import annotations

import asyncio

import pytest

from sipua import RTCSession, events
from sipua.errors import ConfigurationError, InvalidStateError
from sipua.media import MediaStats, SignallingOnlyMedia
from sipua.media.emodel import CodecQuality
from sipua.media.statistics import MediumStats, Quality, ReceivedStats, SentStats, TransportStats
from tests.session.calls import call_in, call_out
from tests.wire import Wire, user_agent

CODEC = CodecQuality("G.107", 0.0, 25.1)


class CountingMedia(SignallingOnlyMedia):
    """50 packets a second since it was made; from the third second on every second one is lost."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._born = asyncio.get_running_loop().time()

    def stats(self) -> MediaStats:
        seconds = round(asyncio.get_running_loop().time() - self._born)
        due, missing = 50 * seconds, 25 * max(0, seconds - 2)
        received = ReceivedStats("r", packets=due - missing, due=due, missing=missing, bursts=missing)
        audio = MediumStats(
            "audio-1",
            "audio",
            float(seconds),
            SentStats("s"),
            received,
            TransportStats("t"),
            quality=Quality.estimate(CODEC, delay=0.1, loss=missing / due if due else 0.0),
        )
        return MediaStats(self.state, float(seconds), audio)


async def told(wire: Wire, seconds: float, **options: object) -> tuple[list[events.Stats], RTCSession]:
    """The events of a call of so many seconds, and the call."""
    async with user_agent(wire, media=CountingMedia, media_options=options) as ua:
        call, _ = await call_out(wire, ua)
        seen: list[events.Stats] = []
        call.on("stats", seen.append)
        await asyncio.sleep(seconds)
        call.terminate()
        await asyncio.sleep(0.1)
        count = len(seen)
        await asyncio.sleep(60)
        assert len(seen) == count, "not after the end"
    return seen, call


async def test_event_every_two_seconds() -> None:
    seen, _ = await told(Wire(), 6.5, stats_interval=2.0)
    assert [event.stats.timestamp for event in seen] == [2.0, 4.0, 6.0]
    assert [event.previous for event in seen] == [None, seen[0].stats, seen[1].stats]
    # Each tells of its own two seconds; the figures themselves are of the whole call.
    assert [event.quality.loss for event in seen] == [0.0, 0.5, 0.5]
    assert [event.stats.quality.loss for event in seen] == [0.0, 0.25, pytest.approx(1 / 3)]


async def test_no_event_unless_asked_for() -> None:
    seen, _ = await told(Wire(), 10)
    assert seen == []


async def test_no_interval_of_nothing() -> None:
    with pytest.raises(ConfigurationError, match="stats_interval"):
        user_agent(Wire(), media_options={"stats_interval": 0})


async def test_selector() -> None:
    wire = Wire()
    async with user_agent(wire, media=CountingMedia) as ua:
        call, _ = await call_out(wire, ua)
        audio = call.stats("audio")
        assert audio is not None
        assert audio == call.stats().audio
        assert call.stats("video") is None
        with pytest.raises(ValueError, match="smell"):
            call.stats("smell")  # type: ignore[call-overload]


async def test_incoming_calls_have_them_from_their_answer_on() -> None:
    wire = Wire()
    async with user_agent(wire, media=CountingMedia, media_options={"stats_interval": 1}) as ua:
        seen: list[events.Stats] = []

        def early(event: events.NewRTCSession) -> None:
            with pytest.raises(InvalidStateError):
                event.session.stats()
            event.session.on("stats", seen.append)

        ua.on("new_rtc_session", early)
        await call_in(wire, ua)
        await asyncio.sleep(3.5)
        assert len(seen) == 3
