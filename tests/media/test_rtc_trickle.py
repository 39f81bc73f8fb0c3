"""Candidates one by one with aiortc, on loopback and the real clock."""

from __future__ import annotations

import time

import pytest

from sipua.errors import MediaNegotiationError
from sipua.media.interface import MediaSession
from tests.media.calls import closing, connected, flowing, media, until
from tests.media.stun import MAPPED, stun_server

pytestmark = pytest.mark.realtime


def without_candidates(text: str) -> str:
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    )


async def hand_over(source: MediaSession, target: MediaSession, **changes: str) -> None:
    """What an INFO would do."""
    fragment = source.local_fragment()
    assert fragment is not None
    for line in fragment.media:
        ufrag, pwd = fragment.credentials(line)
        assert target.knows_peer(ufrag or "", pwd)
        mid = changes.get("mid", line.mid)
        for candidate in line.candidates:
            await target.add_remote_candidate(candidate, mid, ufrag=changes.get("ufrag", ufrag))
        if line.is_complete:
            await target.add_remote_candidate(None, mid, ufrag=changes.get("ufrag", ufrag))


async def test_connected_before_gathering_ends() -> None:
    late = await stun_server(delay=1.0)
    a, b = media(ice_servers=(late.url,)), media(ice_servers=(late.url,))
    a.trickle = b.trickle = True
    told: list[str] = []
    a.callbacks.on_candidate = told.append
    a.callbacks.on_gathered = lambda: told.append("end")
    async with closing(a, b):
        started = time.monotonic()
        offer = await a.create_offer()
        assert "a=ice-options:trickle\r\n" in offer
        assert "end-of-candidates" not in offer
        await a.apply_answer(await b.create_answer(offer))
        await connected(a, b)
        assert time.monotonic() - started < 0.9
        assert len(told) == 1
        await until(lambda: "end" in told)
        assert MAPPED in told[1]
        await hand_over(a, b)
        await flowing(a, b)
        # The next description has them all.
        again = await a.create_offer()
        assert MAPPED in again
        assert "a=end-of-candidates" in again
        await a.rollback()
    late.transport.close()


async def test_a_peer_without_candidates_is_reached_when_they_come() -> None:
    a, b = media(), media()
    async with closing(a, b):
        offer = await a.create_offer()
        answer = await b.create_answer(without_candidates(offer))
        await a.apply_answer(without_candidates(answer))
        assert not b.knows_peer("zzzz")
        await hand_over(a, b, mid="7")  # another m-line
        await hand_over(b, a, ufrag="zzzz")  # another generation
        assert (a.state, b.state) == ("connecting", "connecting")
        await b.add_remote_candidate("candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype active")
        fragment = a.local_fragment()
        assert fragment is not None
        await b.add_remote_candidate(
            fragment.media[0].candidates[0], fragment.media[0].mid, ufrag=fragment.ufrag
        )
        await connected(a, b)
        await flowing(a, b)


async def test_the_search_can_be_ended() -> None:
    dead = await stun_server(answers=False)
    a = media(ice_servers=(dead.url,), ice_gathering_timeout=30)
    a.callbacks.on_candidate = lambda line: a.end_gathering()
    async with closing(a):
        assert a.local_fragment() is None
        assert "a=end-of-candidates" in await a.create_offer()
    dead.transport.close()


async def test_off_says_nothing() -> None:
    a, b = media(trickle_ice="off"), media(trickle_ice="off")
    async with closing(a, b):
        offer = await a.create_offer()
        assert "ice-options" not in offer
        answer = await b.create_answer(offer.replace("a=mid:0", "a=mid:0\r\na=ice-options:trickle"))
        assert "ice-options" not in answer


async def test_steps_that_fail_are_told() -> None:
    a, b = media(), media()
    told: list[str] = []
    b.callbacks.on_step_failed = a.callbacks.on_step_failed = lambda step, error: told.append(step)
    async with closing(a, b):
        with pytest.raises(MediaNegotiationError):
            await b.create_answer("nonsense")
        offer = await a.create_offer()
        with pytest.raises(MediaNegotiationError):
            await a.apply_answer("v=0\r\ns=-\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\n")
        assert told == ["setremotedescription"] * 2
        await a.apply_answer(await b.create_answer(offer))
        await connected(a, b)
