"""SDP modifiers: what each description of ours goes through."""

from __future__ import annotations

import asyncio

import pytest

from sipua import Cause, ConfigurationError
from tests.session.calls import SDP_TYPE, call_in, call_out
from tests.wire import ANSWER, OFFER, Wire, user_agent


def named(sdp: str) -> str:
    return sdp.replace("s=-", "s=call")


def louder(sdp: str) -> str:
    return sdp.replace("s=call", "s=CALL")


async def test_offers_and_answers_go_through_them_in_order() -> None:
    wire = Wire()
    async with user_agent(wire, media_options={"sdp_modifiers": [named, louder]}) as ua:
        told: list[str] = []
        call, invite = await call_out(wire, ua)
        call.on("sdp", lambda event: told.append(event.sdp) if event.originator == "local" else None)
        assert "s=CALL\r\n" in invite.text
        wire.from_callee("INVITE", invite, extra=SDP_TYPE, body=OFFER)
        assert "s=CALL\r\n" in (await wire.response(200, "INVITE")).text
        wire.from_callee("ACK", invite)
        call.hold()
        hold = await wire.request("INVITE")
        assert "s=CALL\r\n" in hold.text
        assert len(told) == 2
        assert all("s=CALL\r\n" in sdp for sdp in told)
        wire.reply(hold, 200, sdp=ANSWER)
        await wire.request("ACK")


async def test_of_one_call() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.call("bob", sdp_modifiers=[named])
        assert "s=call\r\n" in (await wire.request("INVITE")).text
        _, ok = await call_in(wire, ua)
        assert "s=-\r\n" in ok.text


async def test_one_that_raises_fails_the_call() -> None:
    """Not without it: it may be there to keep something from the peer."""

    def broken(sdp: str) -> str:
        raise RuntimeError("broken")

    wire = Wire()
    async with user_agent(wire) as ua:
        for modifier in (broken, len):
            call = ua.call("bob", sdp_modifiers=[modifier])
            over = await asyncio.wait_for(call.wait_ended(), 5)
            assert over.cause is Cause.WEBRTC_ERROR
        assert wire.nothing_sent()


@pytest.mark.parametrize("value", [named, "named", [5], None])
async def test_what_is_no_list_of_them(value: object) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(ConfigurationError, match="sdp_modifiers"):
            ua.call("bob", sdp_modifiers=value)
