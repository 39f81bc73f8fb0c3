"""Calls with video over aiortc on loopback: what is shown is seen."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sipua.errors import InvalidStateError, MediaNegotiationError
from sipua.media.description import parse
from sipua.media.interface import Applied, MediaSession
from sipua.media.sources import Tone
from sipua.media.video.pattern import BARS, colours_in, number_in
from sipua.media.video.sources import TestPattern
from tests.media.calls import closing, connected, flowing, media, negotiate, until

if TYPE_CHECKING:
    from typing import Any

    from sipua.media.rtc import RtcMedia

pytestmark = pytest.mark.realtime

PATTERN = TestPattern(160, 128, 30)


def ports(description: str | None) -> list[tuple[str, bool]]:
    return [(section.kind, section.port > 0) for section in parse(description or "").media]


def check_picture(frame: Any) -> None:
    assert (frame.width, frame.height) == (160, 128)
    for seen, shown in zip(colours_in(frame), BARS, strict=True):
        assert max(abs(a - b) for a, b in zip(seen, shown, strict=True)) < 40


async def seen(session: MediaSession, timeout: float = 10.0) -> None:
    """The pattern comes, and goes on. The first may be left from before a pause."""
    async with asyncio.timeout(timeout):
        frames = [await session.video.frame() for _ in range(6)][2:]
    check_picture(frames[-1])
    assert all(0 < number_in(b) - number_in(a) < 30 for a, b in pairwise(frames))


async def test_both_see_each_other() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media(video=PATTERN)
    tracks: list[tuple[str, Any]] = []
    b.callbacks.on_track = lambda kind, track: tracks.append((kind, track))
    async with closing(a, b):
        await negotiate(a, b)
        assert ports(a.local_description) == ports(b.local_description) == [("audio", True), ("video", True)]
        assert a.has_video
        assert b.has_video
        await connected(a, b)
        await asyncio.gather(seen(a), seen(b), flowing(a, b))
        assert [kind for kind, _ in tracks].count("video") == 1
        (track,) = (track for kind, track in tracks if kind == "video")
        assert track is b.video.track
        check_picture(await track.recv())
        png = await a.video.snapshot()
        assert png.startswith(b"\x89PNG")
        assert (await a.video.snapshot("jpeg")).startswith(b"\xff\xd8")
    with pytest.raises(InvalidStateError):
        await a.video.frame()
    assert track.readyState == "ended"


async def test_video_is_refused_unless_it_is_wanted() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media()
    async with closing(a, b):
        await negotiate(a, b)
        assert ports(b.local_description) == [("audio", True), ("video", False)]
        assert not a.has_video
        assert not b.has_video
        await connected(a, b)
        await flowing(a, b)
        a.video_direction = None
        await negotiate(a, b)  # it stays refused, in its place
        assert ports(a.local_description) == [("audio", True), ("video", False)]
        await negotiate(b, a)
        await flowing(a, b)


@pytest.mark.parametrize("adder", ["caller", "callee"])
async def test_video_comes_and_goes_in_a_call_that_is_up(adder: str) -> None:
    a, b = media(audio=Tone(440.0)), media()
    first, second = (a, b) if adder == "caller" else (b, a)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        assert ports(a.local_description) == [("audio", True)]

        first.video_direction = second.video_direction = "sendrecv"
        first.video.source = second.video.source = PATTERN
        await negotiate(first, second)
        assert parse(first.local_description or "").session.all("group") == ["BUNDLE 0 1"]
        await asyncio.gather(seen(a), seen(b), flowing(b))
        assert a.state == b.state == "connected"

        first.video_direction = None
        await negotiate(first, second)
        assert ports(first.local_description) == [("audio", True), ("video", False)]
        assert parse(first.local_description or "").session.all("group") == ["BUNDLE 0"]
        assert not a.has_video
        assert not b.has_video
        assert b.video.track is None

        first.video_direction = "sendonly"
        await negotiate(second, first)  # the other one offers it now
        assert [port for _, port in ports(second.local_description)] == [True, True]
        await seen(second)
        assert len(parse(second.local_description or "").media) == 2
        await flowing(b)


def unbundled(description: str) -> str:
    return re.sub(r"a=group:BUNDLE.*\r\n", "", description)


async def test_a_peer_that_does_not_bundle() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b, offer=unbundled)
        assert not parse(b.local_description or "").session.has("group")
        audio, video = parse(a.local_description or "").media
        assert audio.port != video.port
        assert audio.all("candidate") != video.all("candidate")
        await connected(a, b)
        await asyncio.gather(seen(a), seen(b), flowing(b))
        # Hold and back, and the other way round.
        a.direction = a.video_direction = "inactive"
        await negotiate(a, b, offer=unbundled)
        a.direction = a.video_direction = "sendrecv"
        await negotiate(b, a, offer=unbundled)
        await asyncio.gather(seen(a), seen(b), flowing(b))
        assert a.state == b.state == "connected"


async def test_a_peer_that_bundles_later() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b, offer=unbundled)
        await asyncio.gather(seen(a), seen(b))
        await negotiate(a, b)
        assert a.stats().local_candidate == a.stats().video.transport.local_candidate  # type: ignore[union-attr]
        await asyncio.gather(seen(a), seen(b), flowing(b))


async def test_video_added_to_a_call_without_bundle() -> None:
    a, b = media(audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b, offer=unbundled)
        await connected(a, b)
        a.video_direction = "recvonly"
        await negotiate(a, b, offer=unbundled)
        await asyncio.gather(seen(a), flowing(b))
        assert a.state == b.state == "connected"


async def test_hold_stops_both_media() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await asyncio.gather(seen(a), seen(b))
        a.direction = a.video_direction = "sendonly"
        await negotiate(a, b)
        assert [s.direction for s in parse(b.local_description or "").media] == ["recvonly", "recvonly"]
        await asyncio.sleep(0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(a.video.frame(), 0.3)
        await seen(b)
        a.direction = a.video_direction = "sendrecv"
        await negotiate(a, b)
        await asyncio.gather(seen(a), seen(b), flowing(b))


async def test_an_offer_that_is_taken_back_leaves_everything_as_it_was() -> None:
    a, b = media(audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        before = a.local_description
        for _ in range(2):
            a.video_direction = "sendrecv"
            await a.create_offer()
            assert len(a.connection.getTransceivers()) == 2
            a.video_direction = None
            await a.rollback()
            assert a.local_description == before
            assert len(a.connection.getTransceivers()) == 1
        await negotiate(a, b)
        assert ports(a.local_description) == [("audio", True)]
        a.video_direction = "sendrecv"
        await negotiate(a, b)
        await asyncio.gather(seen(a), flowing(b))
        # and with both media up
        a.direction = a.video_direction = "inactive"
        await a.create_offer()
        a.direction = a.video_direction = "sendrecv"
        await a.rollback()
        await asyncio.gather(seen(a), flowing(b))
        await negotiate(b, a)
        await asyncio.gather(seen(a), flowing(b))


async def test_an_offer_that_cannot_be_taken_changes_nothing() -> None:
    a, b = media(audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        a.video_direction = "recvonly"
        offer = await a.create_offer()
        with pytest.raises(MediaNegotiationError):
            await b.create_answer(
                re.sub(r"a=setup:\w+", "a=setup:actpass", offer).replace("m=audio", "m=image")
            )
        assert not b.has_video
        assert len(b.connection.getTransceivers()) == 1
        await a.apply_answer(await b.create_answer(offer))
        await asyncio.gather(seen(a), flowing(b))


def refusing(answer: str) -> str:
    """As Asterisk and FreeSWITCH refuse: port 0, and nothing of ICE or DTLS."""
    head, *rest = answer.split("m=video")
    assert rest
    return re.sub(r"a=group:.*\r\n", "", head) + "m=video 0 UDP/TLS/RTP/SAVPF 112\r\n"


async def test_a_peer_that_refuses_video_without_ice() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media()
    async with closing(a, b):
        await negotiate(a, b, answer=refusing)
        assert not a.has_video
        await connected(a, b)
        await flowing(b)
        a.video_direction = None
        await negotiate(a, b, answer=refusing)
        assert ports(a.local_description) == [("audio", True), ("video", False)]
        await flowing(b)


async def test_an_answer_with_fewer_lines() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media()
    async with closing(a, b):
        await negotiate(a, b, answer=lambda text: text.partition("m=video")[0])
        await connected(a, b)
        await flowing(b)
        assert not a.has_video


async def test_ice_restart_with_video() -> None:
    a, b = media(video=PATTERN, audio=Tone(440.0)), media(video=PATTERN)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await seen(a)
        before = a.connection, b.connection, a.stats().local_candidate
        await a.apply_answer(await b.create_answer(await a.create_offer(ice_restart=True)))
        await until(lambda: a.stats().local_candidate != before[2])
        await asyncio.gather(seen(a), seen(b), flowing(b))
        assert (a.connection, b.connection) == before[:2]
        assert len(parse(a.local_description or "").media) == 2


def local_paths(one: RtcMedia) -> tuple[str | None, str | None]:
    stats = one.stats()
    assert stats.audio is not None
    assert stats.video is not None
    return stats.audio.transport.local_candidate, stats.video.transport.local_candidate


@pytest.mark.parametrize("bundles", [False, True])
async def test_ice_restart_of_video_with_a_path_of_its_own(bundles: bool) -> None:
    """Both paths are others then, or one for both, if the answer has them bundled."""
    a, b = media(video=PATTERN, audio=Tone(440.0)), media(video=PATTERN, audio=Tone(440.0))
    async with closing(a, b):
        await negotiate(a, b, offer=unbundled)
        await connected(a, b)
        await asyncio.gather(seen(a), seen(b))
        connections, before = (a.connection, b.connection), {*local_paths(a), *local_paths(b)}
        assert len(before) == 4
        offer = await a.create_offer(ice_restart=True)
        answer = await b.create_answer(offer if bundles else unbundled(offer))
        # Pictures are on their way when the end of the path that b has left is here, and the answer is not.
        await asyncio.sleep(0.2)
        await a.apply_answer(answer)
        await until(lambda: not before & {*local_paths(a), *local_paths(b)})
        await asyncio.gather(seen(a), seen(b), flowing(a, b))
        assert len({*local_paths(a), *local_paths(b)}) == (2 if bundles else 4)
        await b.create_offer(ice_restart=True)
        await b.rollback()
        await asyncio.gather(seen(a), seen(b), flowing(a, b))
        assert (a.connection, b.connection) == connections


async def test_two_branches_with_video() -> None:
    a, b, c = media(video=PATTERN), media(video=PATTERN), media(video=PATTERN, audio=Tone(440.0))
    async with closing(a, b, c):
        offer = await a.create_offer()
        await a.apply_answer(await b.create_answer(offer), branch="b")
        await a.apply_answer(await c.create_answer(offer), branch="c")
        assert await a.choose("c") is Applied.UNCHANGED
        await connected(a, c)
        await asyncio.gather(seen(a), seen(c), flowing(a))
        await negotiate(a, c)
        await seen(a)


async def test_a_branch_without_bundle_needs_another_offer() -> None:
    a, b, c = media(video=PATTERN), media(video=PATTERN), media(video=PATTERN)
    async with closing(a, b, c):
        offer = await a.create_offer()
        await a.apply_answer(await b.create_answer(offer), branch="b")
        answer = unbundled(await c.create_answer(unbundled(offer)))
        assert await a.apply_answer(answer, branch="c") is Applied.NEEDS_REOFFER


async def test_the_source_changes_and_is_muted() -> None:
    a, b = media(video=True), media(video=True)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        a.video.source = PATTERN
        await seen(b)
        a.video.mute()
        await until(lambda: a.video.muted)
        async with asyncio.timeout(5):
            while max(max(c) for c in colours_in(await b.video.frame())) > 40:
                pass
        a.video.unmute()
        async with asyncio.timeout(5):
            while colours_in(await b.video.frame())[0][0] < 150:
                pass
        a.video.source = TestPattern(320, 240, 30)
        async with asyncio.timeout(5):
            while (await b.video.frame()).width != 320:
                pass
        a.video.source = None
        await asyncio.sleep(0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(b.video.frame(), 0.3)


async def test_the_name_of_a_refused_line_is_not_given_to_video() -> None:
    a, b = media(audio=Tone(440.0)), media(video=PATTERN)
    data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n"
    async with closing(a, b):
        offer = await b.create_offer()
        head, _, _ = offer.partition("m=video")
        answer = await a.create_answer(head + data)
        await b.rollback()
        assert ports(answer) == [("audio", True), ("application", False)]
        a.video_direction = "sendrecv"
        again = parse(await a.create_offer())
        assert [(s.kind, s.get("mid")) for s in again.media] == [
            ("audio", "0"),
            ("application", "1"),
            ("video", "2"),
        ]
        assert again.session.all("group") == ["BUNDLE 0 2"]
