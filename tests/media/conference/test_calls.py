"""Real calls in a conference: what SIP says about them counts there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sipua import UA, Conference, RTCSession
from sipua.errors import InvalidStateError
from sipua.events import NewRTCSession
from sipua.media import SignallingOnlyMedia
from sipua.server import Server


@asynccontextmanager
async def callers() -> AsyncIterator[tuple[UA, UA]]:
    accounts = dict.fromkeys(("alice", "bob"), "secret")
    async with Server(accounts, port=None, media=SignallingOnlyMedia) as server:

        def person(name: str) -> UA:
            address = f"sip:{name}@example.com"
            return UA(address, sockets=server.connector(), password="secret", media=SignallingOnlyMedia)

        async with person("alice") as alice, person("bob") as bob:
            yield alice, bob


async def test_hold_and_hanging_up_by_the_peer() -> None:
    room, here = Conference(), asyncio.get_running_loop().create_future()

    async def come_in(event: NewRTCSession) -> None:
        call: RTCSession = event.session
        with pytest.raises(InvalidStateError):
            room.join(call)
        await call.answer()
        here.set_result(room.join(call))

    async with callers() as (alice, bob), room:
        bob.on("new_rtc_session", come_in)
        async with alice.call("bob") as call:
            member = await here
            assert not member.held
            await call.hold()
            await asyncio.sleep(0.1)
            assert member.held
            assert member.volume == 0
            await call.unhold()
            await asyncio.sleep(0.1)
            assert not member.held
            assert room.members == (member,)
        await asyncio.sleep(0.1)
        assert len(room) == 0
        with pytest.raises(InvalidStateError, match="ended"):
            room.join(member.call)


async def test_an_outgoing_call_may_join_before_it_is_answered_and_leaves_when_it_fails() -> None:
    async with callers() as (alice, _), Conference() as room:
        call = alice.call("610")
        room.join(call)
        assert call in room
        await call.wait_ended()
        assert call not in room
