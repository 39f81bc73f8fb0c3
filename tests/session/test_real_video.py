"""Video added, held, muted and removed in calls with real media: two user agents on loopback, the real clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import MediaNegotiationError, RequestFailed, RTCSession, TestPattern
from sipua.media.video.pattern import colours_in, number_in
from tests.session.test_real_media import call, heard

pytestmark = pytest.mark.realtime

PATTERN = TestPattern(160, 128, 30)


async def sees(session: RTCSession) -> Any:
    """A frame of the pattern, later than another one."""
    async with asyncio.timeout(10):
        first = await session.video.frame()
        while number_in(frame := await session.video.frame()) <= number_in(first):
            first = frame
    red, green, blue = colours_in(frame)[5]
    assert red > 140
    assert green < 60
    assert blue < 60
    return frame


async def test_video_comes_and_goes() -> None:
    async with call() as (one, other):
        tracks: list[str] = []
        one.on("track", lambda event: tracks.append(event.kind))
        other.accept_video(PATTERN)
        await one.add_video(PATTERN)
        assert one.directions() == other.directions() == {"audio": "sendrecv", "video": "sendrecv"}
        await asyncio.gather(sees(one), sees(other))
        assert tracks == ["video"]
        assert await heard(one) > 5

        await one.hold()
        assert other.directions() == {"audio": "recvonly", "video": "recvonly"}
        assert other.is_on_hold()["remote"]
        await asyncio.sleep(0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.video.frame(), 0.3)
        await one.unhold()
        await asyncio.gather(sees(one), sees(other))

        await other.remove_video()
        assert one.directions() == other.directions() == {"audio": "sendrecv"}
        assert await heard(one) > 5
        with pytest.raises(MediaNegotiationError):  # the other one does not want it any more
            await one.add_video(PATTERN)
        await other.add_video(PATTERN, direction="recvonly")
        assert one.directions() == {"audio": "sendrecv", "video": "sendonly"}
        await sees(other)


async def test_refused_video_leaves_the_audio() -> None:
    async with call() as (one, other):
        with pytest.raises(MediaNegotiationError):
            await one.add_video(PATTERN)
        assert one.directions() == {"audio": "sendrecv"}
        assert await heard(one) > 5
        other.on("reinvite", lambda event: event.reject(status_code=488))
        with pytest.raises(RequestFailed):
            await one.add_video(PATTERN)
        assert await heard(one) > 5
        other.off("reinvite", other._handlers["reinvite"][0][0])
        other.accept_video(PATTERN)
        await one.add_video(PATTERN)
        await asyncio.gather(sees(one), sees(other))


async def test_both_add_video_at_once() -> None:
    """Glare: one of them comes first, and the other one's offer finds video there already."""
    async with call() as (one, other):
        one.accept_video(PATTERN)
        other.accept_video(PATTERN)
        await asyncio.gather(one.add_video(PATTERN), other.add_video(PATTERN))
        await asyncio.gather(sees(one), sees(other))
        assert one.directions() == other.directions() == {"audio": "sendrecv", "video": "sendrecv"}


async def test_an_ice_restart_with_video() -> None:
    async with call() as (one, other):
        other.accept_video(PATTERN)
        await one.add_video(PATTERN)
        await sees(one)
        await one.renegotiate(ice_restart=True)
        await asyncio.gather(sees(one), sees(other))
        assert await heard(other) > 5
