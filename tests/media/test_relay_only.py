"""A call that may use relays only, and gets none."""

from __future__ import annotations

import asyncio

import pytest

from sipua import UA, CallFailed, Cause
from sipua.errors import MediaTransportError
from sipua.media import IceServer
from sipua.media.interface import MediaOptions
from sipua.media.rtc import RtcMedia
from sipua.server import Server
from tests.cli.doctor.relay import PASSWORD, USER, relay

pytestmark = pytest.mark.realtime


def relay_only(where: str, password: str) -> RtcMedia:
    turn = IceServer(f"turn:{where}", USER, password)
    return RtcMedia(MediaOptions(ice_servers=[turn], ice_transport_policy="relay"))


async def test_neither_offer_nor_answer_is_made() -> None:
    failed: list[str] = []
    async with relay() as (_, where):
        caller, media = relay_only(where, PASSWORD), relay_only(where, "wrong")
        offer = await caller.create_offer()
        assert " typ relay" in offer
        assert " typ host" not in offer
        media.callbacks.on_step_failed = lambda step, error: failed.append(step)
        for description in (media.create_offer(), media.create_answer(offer)):
            with pytest.raises(
                MediaTransportError, match=r"^no TURN server gave an address.*401 Unauthorized"
            ):
                await description
        assert failed == ["setlocaldescription", "setlocaldescription"]
        await media.close()
        await caller.close()


async def test_the_call_fails_before_anything_is_sent() -> None:
    sent: list[str] = []
    async with relay() as (_, where), Server({"alice": "secret"}) as server:
        media = {"ice_servers": [IceServer(f"turn:{where}", USER, "wrong")], "ice_transport_policy": "relay"}
        ua = UA("sip:alice@localhost", sockets=server.url, password="secret", media_options=media)
        ua.trace(lambda direction, data: sent.append(str(data).split(" ")[0]) if direction == "out" else None)
        async with ua:
            with pytest.raises(CallFailed, match="no TURN server gave an address") as caught:
                await asyncio.wait_for(ua.call("600").wait_confirmed(), 10)
            assert caught.value.cause == Cause.WEBRTC_ERROR
        assert "INVITE" not in sent
