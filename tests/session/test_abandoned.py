"""A transfer never leaves a silent call behind: nobody at the other end any more, or a hold that nobody takes off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sipua import UA, Cause, RTCSession, SignallingOnlyMedia, TransferFailed
from sipua.media.interface import Direction, MediaStats
from sipua.media.statistics import MediumStats, ReceivedStats, SentStats, TransportStats
from sipua.sip import Request
from tests.session.calls import directed, direction_of
from tests.session.test_refer import ACTIVE, OVER, notify
from tests.wire import ANSWER, Log, Wire, user_agent


class Heard(SignallingOnlyMedia):
    """Media to whom packets come as the test has it: 50 a second from `start` to `stop`, by the loop's clock."""

    start = 0.0
    stop = float("inf")
    way: Direction = "sendrecv"

    def stats(self) -> MediaStats:
        now = asyncio.get_running_loop().time()
        packets = int(50 * max(0.0, min(now, Heard.stop) - Heard.start))
        received = ReceivedStats("received", packets=packets)
        parts: Any = {"sent": SentStats("sent"), "received": received, "transport": TransportStats("path")}
        audio = MediumStats("audio", "audio", now, direction=Heard.way, **parts)
        return MediaStats("connected", now, audio)


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Wire, UA, RTCSession, Request]]:
    """A call of ours in which the peer was heard for a second."""
    wire = Wire()
    async with user_agent(wire, media=Heard) as ua:
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, (("Allow", "INVITE, ACK, CANCEL, BYE, REFER, NOTIFY"),), sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        Heard.start, Heard.stop, Heard.way = now(), float("inf"), "sendrecv"
        await wire.settle(1)
        yield wire, ua, call, invite


def now() -> float:
    return asyncio.get_running_loop().time()


async def fails(wire: Wire, call: RTCSession, invite: Request, **options: Any) -> None:
    """A transfer as Asterisk's: taken on, and told to have failed."""
    transfer = call.refer("nosuch", **options)
    wire.reply(await wire.request("REFER"), 202)
    notify(wire, invite, "SIP/2.0 100 Trying", ACTIVE)
    await wire.response(200, "NOTIFY")
    notify(wire, invite, "SIP/2.0 503 Service Unavailable", OVER, sequence=2)
    await wire.response(200, "NOTIFY")
    with pytest.raises(TransferFailed, match="503"):
        await transfer


async def ends_silently(wire: Wire, call: RTCSession, seconds: float) -> None:
    """The call is hung up after so many seconds, not before."""
    await wire.settle(seconds - 1.5)
    assert call.is_established()
    assert wire.nothing_sent()
    await wire.settle(3)
    wire.reply(await wire.request("BYE"), 200)
    ended = await call.wait_ended()
    assert (ended.originator, ended.cause) == ("system", Cause.RTP_TIMEOUT)
    assert "nobody is left" in ended.reason


async def lives(wire: Wire, call: RTCSession) -> None:
    """The call is still up a minute later, and is hung up by us."""
    await wire.settle(60)
    assert call.is_established()
    assert wire.nothing_sent()
    call.terminate()
    wire.reply(await wire.request("BYE"), 200)


async def test_peer_that_is_not_there_any_more() -> None:
    async with talking() as (wire, _, call, invite):
        Heard.stop = now()
        await fails(wire, call, invite)
        await ends_silently(wire, call, 10)


async def test_the_last_packets_of_who_has_left_do_not_count() -> None:
    async with talking() as (wire, _, call, invite):
        Heard.stop = now() + 1.5
        await fails(wire, call, invite)
        await ends_silently(wire, call, 12)


async def test_peer_that_is_still_there() -> None:
    async with talking() as (wire, _, call, invite):
        await fails(wire, call, invite)
        await wire.settle(6)
        Heard.stop = now()  # what happens later has nothing to do with the transfer
        await lives(wire, call)


async def test_peer_that_suppresses_silence() -> None:
    async with talking() as (wire, _, call, invite):
        Heard.stop = now()
        await fails(wire, call, invite)
        for _ in range(8):
            await wire.settle(8)
            Heard.start -= 0.02  # one packet
        await lives(wire, call)


async def test_peer_that_was_never_heard() -> None:
    async with talking() as (wire, _, call, invite):
        Heard.start = float("inf")
        await fails(wire, call, invite)
        await lives(wire, call)


async def test_direction_without_anything_to_hear() -> None:
    async with talking() as (wire, _, call, invite):
        Heard.stop, Heard.way = now(), "sendonly"
        await fails(wire, call, invite)
        await lives(wire, call)


async def test_left_to_the_application() -> None:
    async with talking() as (wire, _, call, invite):
        Heard.stop = now()
        await fails(wire, call, invite, hang_up=False)
        await lives(wire, call)


async def test_refer_that_is_refused_took_nobody_away() -> None:
    async with talking() as (wire, _, call, _):
        Heard.stop = now()
        transfer = call.refer("nosuch")
        wire.reply(await wire.request("REFER"), 403)
        with pytest.raises(TransferFailed):
            await transfer
        await lives(wire, call)


async def test_peer_that_never_says_how_it_went() -> None:
    async with talking() as (wire, _, call, _):
        Heard.stop = now()
        transfer = call.refer("nosuch")
        wire.reply(await wire.request("REFER"), 202)
        with pytest.raises(TransferFailed):
            await transfer
        await ends_silently(wire, call, 10)


# --- hold ------------------------------------------------------------------------------------------------


async def held(wire: Wire, direction: str, code: int = 200) -> None:
    """A re-INVITE of ours for this direction, answered."""
    request = await wire.request("INVITE")
    assert direction_of(request) == direction
    answer = directed(ANSWER, "recvonly" if direction == "sendonly" else "sendrecv")
    wire.reply(request, code, sdp=answer if code == 200 else "")
    await wire.request("ACK")
    await wire.settle()


async def test_time_on_hold_does_not_count() -> None:
    async with talking() as (wire, _, call, invite):
        call.hold()
        await held(wire, "sendonly")
        Heard.stop = now()
        await fails(wire, call, invite)
        await wire.settle(60)
        assert call.is_established()
        call.unhold()
        await held(wire, "sendrecv")
        await ends_silently(wire, call, 10)


async def test_hold_of_the_transfer_ends_when_it_fails() -> None:
    """RFC 5589 §6.2: the transferor retrieves the call."""
    async with talking() as (wire, _, call, invite):
        transfer = call.refer("nosuch", hold=True)
        await held(wire, "sendonly")
        assert call.is_on_hold()["local"]
        refer = await wire.request("REFER")
        assert refer.cseq.sequence > invite.cseq.sequence + 1  # after the re-INVITE
        wire.reply(refer, 202)
        notify(wire, invite, "SIP/2.0 486 Busy Here", OVER)
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed, match="486"):
            await transfer
        await held(wire, "sendrecv")
        assert not call.is_on_hold()["local"]
        await lives(wire, call)


async def test_hold_of_the_transfer_ends_when_it_is_refused() -> None:
    async with talking() as (wire, _, call, _):
        transfer = call.refer("nosuch", hold=True)
        await held(wire, "sendonly")
        wire.reply(await wire.request("REFER"), 603)
        with pytest.raises(TransferFailed):
            await transfer
        await held(wire, "sendrecv")
        await lives(wire, call)


async def test_hold_and_a_transfer_that_works() -> None:
    async with talking() as (wire, _, call, invite):
        transfer = call.refer("carol", hold=True)
        await held(wire, "sendonly")
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 200 OK", OVER)
        await wire.response(200, "NOTIFY")
        await transfer
        wire.reply(await wire.request("BYE"), 200)
        assert (await call.wait_ended()).cause is Cause.BYE


async def test_hold_that_was_there_before_stays() -> None:
    async with talking() as (wire, _, call, invite):
        call.hold()
        await held(wire, "sendonly")
        await fails(wire, call, invite, hold=True)
        await wire.settle(5)
        assert wire.nothing_sent()
        assert call.is_on_hold()["local"]
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)


async def test_peer_that_does_not_want_to_be_held_is_transferred_all_the_same() -> None:
    async with talking() as (wire, _, call, invite):
        transfer = call.refer("nosuch", hold=True)
        await held(wire, "sendonly", 488)
        wire.reply(await wire.request("REFER"), 202)
        notify(wire, invite, "SIP/2.0 486 Busy Here", OVER)
        await wire.response(200, "NOTIFY")
        with pytest.raises(TransferFailed):
            await transfer
        await lives(wire, call)  # and there is no hold to be ended


async def test_call_that_ends_before_it_is_held() -> None:
    async with talking() as (wire, _, call, _):
        transfer = call.refer("carol", hold=True)
        log = Log(transfer)
        await wire.request("INVITE")
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)
        with pytest.raises(TransferFailed, match="the call ended before"):
            await transfer
        assert log["request_failed"].cause is Cause.DIALOG_ERROR
        assert log["request_failed"].response is None
