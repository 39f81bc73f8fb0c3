"""Calls whose media takes its time: what a call says of itself meanwhile, and what waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua import InvalidStateError, RTCSession
from sipua.media import SignallingOnlyMedia
from tests.wire import ANSWER, Wire, user_agent


class SlowMedia(SignallingOnlyMedia):
    """Media that takes a second for each step."""

    async def create_answer(self, offer: str) -> str:
        await asyncio.sleep(1)
        return await super().create_answer(offer)

    async def apply_answer(self, answer: str, *, branch: str = "") -> Any:
        await asyncio.sleep(1)
        return await super().apply_answer(answer, branch=branch)

    async def close(self) -> None:
        await asyncio.sleep(1)
        await super().close()


async def test_no_offer_before_the_first_answer_is_applied() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.settle(0.5)
        assert not call.is_ready_to_re_offer()
        held = call.hold()
        await wire.request("ACK")
        hold = await wire.request("INVITE")
        assert "a=sendonly" in hold.text
        wire.reply(hold, 200, sdp=ANSWER.replace("sendrecv", "recvonly"))
        await wire.request("ACK")
        await held
        await wire.settle(1)
        assert call.is_ready_to_re_offer()


async def test_no_offer_before_the_peer_has_our_answer() -> None:
    """The 200 has gone out, its ACK has not come."""
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        ua.on("new_rtc_session", lambda event: event.session.answer())
        wire.invite(ua)
        await wire.response(100)
        ok = await wire.response(200, "INVITE")
        [call] = ua.sessions
        assert not call.is_ready_to_re_offer()
        held = call.hold()
        await wire.settle(0.2)
        assert wire.nothing_sent()
        wire.in_dialog("ACK", ok, sequence=1)
        assert "a=sendonly" in (await wire.request("INVITE")).text
        assert not held.done()


async def test_figures_of_a_call_that_has_no_media_yet() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[RTCSession] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua)
        await wire.response(180)
        with pytest.raises(InvalidStateError, match="stats is not possible"):
            calls[0].stats()
        assert calls[0].connection is None
        calls[0].answer()
        await wire.response(200, "INVITE")
        assert calls[0].stats().packets_sent == 0
        assert calls[0].media is not None
        assert calls[0].connection is calls[0].media.connection


async def test_media_that_closes_is_waited_for_and_counted() -> None:
    wire = Wire()
    async with user_agent(wire, media=SlowMedia) as ua:
        call = ua.call("bob")
        wire.reply(await wire.request("INVITE"), 486)
        await call.wait_ended()
        await wire.settle()
        assert ua.counts()["tasks"] == 1
        began = asyncio.get_running_loop().time()
        await ua.stop()
        assert asyncio.get_running_loop().time() - began == pytest.approx(1, abs=0.01)
        assert ua.counts()["tasks"] == 0
