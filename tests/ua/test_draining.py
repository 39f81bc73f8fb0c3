"""A user agent that lets its calls come to their end before it stops."""

from __future__ import annotations

import asyncio

import pytest

from sipua import InvalidStateError
from sipua.sip import Request
from tests.session.calls import call_out
from tests.wire import Wire, user_agent


async def test_calls_come_to_their_end() -> None:
    wire = Wire()
    wire.answer_registers = True
    async with user_agent(wire, register=True) as ua:
        ua.on("new_rtc_session", lambda event: None)
        call, invite = await call_out(wire, ua)
        drained = asyncio.ensure_future(ua.drain())
        await wire.settle(100)
        assert call.is_established()
        assert not ua.is_registered()
        wire.invite(ua)
        await wire.response(480, "INVITE")
        wire.in_dialog("ACK", wire.received[-1], sequence=1)  # type: ignore[arg-type]
        with pytest.raises(InvalidStateError, match="draining"):
            ua.call("carol")
        wire.cut()  # a new connection does not register again
        await wire.settle(60)
        assert ua.is_connected()
        assert not ua.is_registered()
        wire.from_callee("BYE", invite)
        await asyncio.wait_for(drained, 5)
        assert not ua.is_connected()


async def test_what_is_left_after_the_time_is_hung_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        drained = asyncio.ensure_future(ua.drain(30))
        await wire.settle(29)
        assert call.is_established()
        bye = await wire.request("BYE")
        wire.reply(bye, 200)
        await drained
        assert call.is_ended()


async def test_nothing_to_wait_for() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        await ua.drain()
        assert not ua.is_connected()
        with pytest.raises(InvalidStateError):
            await ua.drain()


async def test_given_up() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ua.drain(), 10)
        assert call.is_established()
        second = ua.call("carol")
        assert isinstance(await wire.next(), Request)
        second.terminate()
        await ua.stop(timeout=1)
