"""A machine that moves to another network takes its calls along."""

from __future__ import annotations

import pytest

from sipua import Cause, SignallingOnlyMedia
from sipua.media.interface import MediaState
from tests.session.calls import call_in, call_out
from tests.wire import ANSWER, Wire, user_agent


class MovingMedia(SignallingOnlyMedia):
    """Media on a machine whose addresses change when the test says so; an ICE restart finds the new ones."""

    moved = False

    @property
    def has_moved(self) -> bool:
        return self.moved

    path: MediaState = "connected"

    @property
    def state(self) -> MediaState:
        return self.path

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        if ice_restart:
            self.moved = False
        return await super().create_offer(ice_restart=ice_restart)


async def test_another_network_after_the_connection_was_lost() -> None:
    wire = Wire()
    async with user_agent(wire, media=MovingMedia, register=True) as ua:
        call, _ = await call_out(wire, ua)
        assert isinstance(call.media, MovingMedia)
        call.media.moved = True
        wire.cut()
        invite = await wire.request("INVITE")
        assert ua.is_registered()
        assert "a=ice-ufrag" in invite.text
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(5)
        wire.cut()  # the same network this time
        await wire.settle(30)
        assert ua.is_registered()
        assert wire.nothing_sent()
        assert call.is_established()


async def test_nothing_comes_from_the_peer_any_more() -> None:
    wire = Wire()
    async with user_agent(wire, media=MovingMedia) as ua:
        call, _ = await call_in(wire, ua)
        media = call.media
        assert isinstance(media, MovingMedia)
        assert media.callbacks.on_state is not None
        media.callbacks.on_state("disconnected")
        await wire.settle(1)
        assert wire.nothing_sent()  # the silence is not of our making
        media.moved = True
        media.callbacks.on_state("disconnected")
        media.callbacks.on_state("disconnected")
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(1)
        assert wire.nothing_sent()


async def test_connection_that_is_gone_with_the_addresses() -> None:
    """The first offer gets nowhere; the one on the next connection does."""
    wire = Wire()
    async with user_agent(wire, media=MovingMedia) as ua:
        call, _ = await call_out(wire, ua)
        media = call.media
        assert isinstance(media, MovingMedia)
        assert media.callbacks.on_state is not None
        media.moved = True
        media.callbacks.on_state("disconnected")
        await wire.request("INVITE")
        media.moved = True
        wire.cut()
        wire.reply(await wire.request("INVITE"), 200, sdp=ANSWER)
        await wire.request("ACK")
        assert call.is_established()


@pytest.mark.parametrize("off", [True, False])
async def test_only_calls_that_are_up_and_want_it(off: bool) -> None:
    wire = Wire()
    async with user_agent(wire, media=MovingMedia, media_options={"ice_restart": not off}) as ua:
        call, invite = await call_out(wire, ua)
        assert isinstance(call.media, MovingMedia)
        call.media.moved = True
        if not off:
            wire.from_callee("BYE", invite)
            await wire.response(200, "BYE")
        wire.cut()
        await wire.settle(30)
        assert ua.is_connected()
        assert wire.nothing_sent()


@pytest.mark.parametrize("found", [True, False])
async def test_path_that_fails_before_there_is_a_new_one(found: bool) -> None:
    """The connection to the server is dead and says nothing: that is found out first."""
    wire = Wire()
    async with user_agent(wire, media=MovingMedia) as ua:
        call, _ = await call_out(wire, ua)
        media = call.media
        assert isinstance(media, MovingMedia)
        assert media.callbacks.on_state is not None
        media.moved, media.path = True, "failed"
        media.callbacks.on_state("failed")
        await wire.request("INVITE")
        media.moved = True
        await wire.settle(10)
        wire.cut()
        invite = await wire.request("INVITE")
        assert call.is_established()
        if found:
            media.path = "connected"
            wire.reply(invite, 200, sdp=ANSWER)
            await wire.request("ACK")
            await wire.settle(100)
            assert call.is_established()
        else:
            wire.reply(invite, 488)
            await wire.request("ACK")
            await wire.settle(20)
            assert call.is_established()
            wire.reply(await wire.request("BYE"), 200)
            assert call.ending is not None
            assert call.ending.cause is Cause.RTP_TIMEOUT


async def test_path_that_fails_for_another_reason() -> None:
    wire = Wire()
    async with user_agent(wire, media=MovingMedia) as ua:
        call, _ = await call_out(wire, ua)
        assert call.media is not None
        assert call.media.callbacks.on_state is not None
        call.media.callbacks.on_state("failed")
        assert call.cause is Cause.RTP_TIMEOUT
        wire.reply(await wire.request("BYE"), 200)


async def test_path_that_fails_while_a_new_one_is_negotiated() -> None:
    wire = Wire()
    async with user_agent(wire, media=MovingMedia) as ua:
        call, _ = await call_out(wire, ua)
        media = call.media
        assert isinstance(media, MovingMedia)
        assert media.callbacks.on_state is not None
        media.moved = True
        media.callbacks.on_state("disconnected")
        invite = await wire.request("INVITE")
        media.path = "failed"
        media.callbacks.on_state("failed")
        await wire.settle(5)
        assert call.is_established()
        media.path = "connected"
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await wire.settle(60)
        assert call.is_established()
