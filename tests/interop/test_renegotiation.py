"""Hold, session timers and reliable provisional responses with real servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sipua import RTCSession
from sipua.media.sources import Tone
from tests.interop.browser_calls import (
    another_path,
    eventually,
    next_call,
    share_of_tone,
    what_we_hear,
    within,
)
from tests.interop.test_calls import SPEECH, registered

if TYPE_CHECKING:
    from tests.lab.peers import AsteriskPeer, KamailioPeer, Peer

TONE = "605"
FREQUENCY = 1004.0


async def heard(call: RTCSession, seconds: float = 0.5) -> int:
    """How many packets come in that time, after those that were under way."""
    await asyncio.sleep(0.3)
    before = call.stats().packets_received
    await asyncio.sleep(seconds)
    return call.stats().packets_received - before


@pytest.mark.parametrize("use_update", [False, True], ids=["INVITE", "UPDATE"])
async def test_hold_and_resume(server: Peer, use_update: bool) -> None:
    async with registered(server) as ua, ua.call(TONE, audio=SPEECH) as call:
        assert await heard(call) > 10
        await call.hold(use_update=use_update)
        assert call.is_on_hold() == {"local": True, "remote": False}
        assert await heard(call) == 0
        await call.unhold(use_update=use_update)
        assert call.is_on_hold() == {"local": False, "remote": False}
        assert await heard(call) > 10
        await call.renegotiate(late_offer=True)
        assert await heard(call) > 10


async def test_hold_through_a_proxy_by_either_side_and_both(kamailio: KamailioPeer) -> None:
    async with registered(kamailio) as alice, registered(kamailio, "bob") as bob:
        calls: list[RTCSession] = []
        bob.on(
            "new_rtc_session", lambda event: (calls.append(event.session), event.session.answer(audio=SPEECH))
        )
        async with alice.call("bob", audio=SPEECH) as one:
            other = calls[0]
            await other.wait_confirmed()
            await one.hold()
            assert other.is_on_hold() == {"local": False, "remote": True}
            assert await heard(one) == 0
            await other.hold(use_update=True)
            assert one.is_on_hold() == other.is_on_hold() == {"local": True, "remote": True}
            await asyncio.gather(one.unhold(), other.unhold())  # glare
            assert one.is_on_hold() == other.is_on_hold() == {"local": False, "remote": False}
            assert await heard(one) > 10
            assert await heard(other) > 10


async def expect_tone(call: RTCSession, frequency: float) -> None:
    async def share() -> float:
        return share_of_tone(await what_we_hear(call, 0.5), frequency)

    await eventually(f"share of the tone of {frequency:g} Hz", share, 0.9)


async def test_ice_restarts(asterisk: AsteriskPeer) -> None:
    """Asterisk keeps the DTLS association, and so do we."""
    async with registered(asterisk) as ua, ua.call(TONE, audio=SPEECH) as call:
        await within(call.renegotiate(ice_restart=True))  # at once: DTLS is not up yet
        await expect_tone(call, FREQUENCY)
        for _ in range(2):
            await another_path(call, call.renegotiate(ice_restart=True))
            await expect_tone(call, FREQUENCY)
        await call.hold()
        assert await heard(call) == 0
        await call.unhold()
        await expect_tone(call, FREQUENCY)


async def test_ice_restarts_of_either_side(server: Peer) -> None:
    """Calls from a server and to it, and both ends of a call through a proxy: each has its role in DTLS."""
    async with registered(server) as alice, registered(server, "bob") as bob:
        coming = next_call(bob)
        ours = alice.call("bob", audio=Tone(440.0))
        theirs = await within(coming)
        await within(theirs.answer(audio=Tone(660.0)))
        await within(ours.wait_confirmed())
        await asyncio.gather(expect_tone(ours, 660.0), expect_tone(theirs, 440.0))
        for call in (theirs, ours, theirs):
            await another_path(call, call.renegotiate(ice_restart=True))
            await asyncio.gather(expect_tone(ours, 660.0), expect_tone(theirs, 440.0))
        await asyncio.gather(
            *(another_path(call, call.renegotiate(ice_restart=True)) for call in (ours, theirs))
        )
        await asyncio.gather(expect_tone(ours, 660.0), expect_tone(theirs, 440.0))
        await ours.terminate()


async def test_refused_hold_through_a_proxy(kamailio: KamailioPeer) -> None:
    async with registered(kamailio) as alice, registered(kamailio, "bob") as bob:

        def answer(event: object) -> None:
            session = event.session  # type: ignore[attr-defined]
            session.on("reinvite", lambda reinvite: reinvite.reject(status_code=488))
            session.answer(audio=SPEECH)

        bob.on("new_rtc_session", answer)
        async with alice.call("bob", audio=SPEECH) as call:
            with pytest.raises(Exception, match="488"):
                await call.hold()
            assert await heard(call) > 10
            assert not call.is_on_hold()["local"]


async def test_reliable_early_media(asterisk: AsteriskPeer) -> None:
    """RFC 3262: Asterisk sends its provisional responses reliably to whom requires it."""
    seen: list[str] = []
    async with registered(asterisk) as ua:
        ua.trace(lambda direction, data: seen.append(f"{direction} {data!s}"))
        async with ua.call("606", extra_headers=["Require: 100rel"], audio=SPEECH) as call:
            assert await heard(call) > 10
        ua.trace(None)
    assert any(message.startswith("in SIP/2.0 183") and "RSeq:" in message for message in seen)
    assert any(message.startswith("out PRACK ") for message in seen)
    assert any(message.startswith("in SIP/2.0 200") and " PRACK\r\n" in message for message in seen)


@pytest.mark.timeout(120)
async def test_session_refresh(asterisk: AsteriskPeer) -> None:
    """RFC 4028: after the time at which calls of 90 s that nobody refreshes end, these are still there."""
    await asyncio.gather(refreshed(asterisk, "alice", "uac"), refreshed(asterisk, "carol", "uas"))


async def refreshed(asterisk: AsteriskPeer, user: str, refresher: str) -> None:
    """A call that this side ("uac") or the server ("uas") refreshes."""
    sent: list[str] = []
    who = "out" if refresher == "uac" else "in"
    async with registered(asterisk, user) as ua:
        ua.trace(lambda direction, data: sent.append(str(data)) if direction == who else None)
        async with ua.call(TONE, extra_headers=[f"Session-Expires: 90;refresher={refresher}"]) as call:
            await asyncio.sleep(65)
            assert call.is_established()
            assert await heard(call) > 10
        ua.trace(None)
    refreshes = [
        message
        for message in sent
        if message.startswith(("UPDATE ", "INVITE ")) and "CSeq: 1 " not in message
    ]
    assert any("\r\nSession-Expires: 90;refresher=uac\r\n" in message for message in refreshes)
