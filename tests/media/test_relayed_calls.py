"""Calls through relays: one that may use nothing else and gets none, and one that loses its relay."""

from __future__ import annotations

import asyncio

import pytest

from sipua import UA, CallFailed, Cause
from sipua.errors import MediaTransportError
from sipua.media import IceServer, internals
from sipua.media.interface import MediaOptions
from sipua.media.rtc import RtcMedia
from sipua.server import Server
from tests.cli.doctor.relay import PASSWORD, USER, relay
from tests.media.calls import closing, connected, media, negotiate, until

pytestmark = pytest.mark.realtime


def relay_only(where: str, password: str) -> RtcMedia:
    turn = IceServer(f"turn:{where}", USER, password)
    return RtcMedia(MediaOptions(ice_servers=[turn], ice_transport_policy="relay"))


async def test_neither_offer_nor_answer_is_made() -> None:
    failed: list[str] = []
    async with relay() as (_, where):
        caller, callee = relay_only(where, PASSWORD), relay_only(where, "wrong")
        offer = await caller.create_offer()
        assert " typ relay" in offer
        assert " typ host" not in offer
        callee.callbacks.on_step_failed = lambda step, error: failed.append(step)
        for description in (callee.create_offer(), callee.create_answer(offer)):
            with pytest.raises(
                MediaTransportError, match=r"^no TURN server gave an address.*401 Unauthorized"
            ):
                await description
        assert failed == ["setlocaldescription", "setlocaldescription"]
        await callee.close()
        await caller.close()


async def test_the_call_fails_before_anything_is_sent() -> None:
    sent: list[str] = []
    async with relay() as (_, where), Server({"alice": "secret"}) as server:
        options = {
            "ice_servers": [IceServer(f"turn:{where}", USER, "wrong")],
            "ice_transport_policy": "relay",
        }
        ua = UA("sip:alice@localhost", sockets=server.url, password="secret", media_options=options)
        ua.trace(lambda direction, data: sent.append(str(data).split(" ")[0]) if direction == "out" else None)
        async with ua:
            with pytest.raises(CallFailed, match="no TURN server gave an address") as caught:
                await asyncio.wait_for(ua.call("600").wait_confirmed(), 10)
            assert caught.value.cause == Cause.WEBRTC_ERROR
        assert "INVITE" not in sent


@pytest.mark.parametrize("lost", [True, False])
async def test_silence_is_taken_for_the_end_of_the_relay_when_that_says_so(
    monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    asked: list[object] = []

    async def is_lost(relay: object) -> bool:
        asked.append(relay)
        return lost

    monkeypatch.setattr(internals, "relay_of", lambda connection: "relay")
    monkeypatch.setattr(internals, "allocation_is_lost", is_lost)
    a, b = media(silence_timeout=1.5), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        assert not a.has_moved
        await b.close()
        await until(lambda: a.state == "disconnected")
        assert a.has_moved == lost
        assert asked == ["relay"]
