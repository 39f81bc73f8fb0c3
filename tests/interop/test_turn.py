"""Calls through the real coturn: relay candidates only, over UDP, TCP and TLS; and TURN servers of no use."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from sipua import CallFailed, Cause
from sipua.media import IceServer
from sipua.media.analysis import correlate
from sipua.media.files import decode_file
from sipua.media.sources import Tone
from sipua.testing import steady
from tests.interop.browser_calls import (
    RATE,
    SPEECH,
    eventually,
    next_call,
    registered,
    share_of_tone,
    what_we_hear,
    within,
)

if TYPE_CHECKING:
    from sipua import UA, RTCSession
    from tests.lab.peers import AsteriskPeer, CoturnPeer, KamailioPeer

RELAYED = re.compile(r"relay 10\.77\.0\.\d+:\d+")


def relay_only(coturn: CoturnPeer, transport: str = "udp", *, password: str | None = None) -> dict[str, Any]:
    """Media options: nothing but an address that coturn gives."""
    server = IceServer(coturn.turn[transport], coturn.user, password or coturn.password, str(coturn.ca_file))
    return {"ice_servers": [server], "ice_transport_policy": "relay"}


async def echo_of_speech(ua: UA, **options: Any) -> tuple[RTCSession, float]:
    """Play speech to the echo: the call, ended, and how much what came back resembles it."""
    speech = decode_file(SPEECH, RATE)[: 2 * RATE * 2]
    async with ua.call("600", **options) as call:
        hearing = asyncio.ensure_future(what_we_hear(call, 3.5))
        await within(call.audio.write(speech, RATE))
        heard = await hearing
        assert RELAYED.fullmatch(call.stats().local_candidate or ""), call.stats()
    return call, correlate(speech, heard).correlation


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_speech_by_relay_only(asterisk: AsteriskPeer, coturn: CoturnPeer, transport: str) -> None:
    async with registered(asterisk, "alice", media_options=relay_only(coturn, transport)) as ua:

        async def measure() -> float:
            return (await echo_of_speech(ua))[1]

        def check(likeness: float) -> None:
            assert likeness > 0.9, likeness

        await steady(measure, check)
    await coturn.logged(r"CHANNEL_BIND processed, success")
    await coturn.logged(r"refreshed, .*lifetime=0")  # given back
    await asterisk.idle()


async def test_credentials_for_a_time(asterisk: AsteriskPeer, coturn: CoturnPeer) -> None:
    """User name and password as the application's server makes them from a secret."""
    server = IceServer(coturn.with_secret, *coturn.credentials(60))
    media = {"ice_servers": [server], "ice_transport_policy": "relay"}
    async with registered(asterisk, "alice", media_options=media) as ua, ua.call("605") as call:
        await eventually("share of the tone", lambda: share_of(call, 1004.0), 0.9)
        assert RELAYED.fullmatch(call.stats().local_candidate or "")
    await asterisk.idle()


async def share_of(call: RTCSession, frequency: float) -> float:
    return share_of_tone(await what_we_hear(call, 0.6), frequency)


async def test_both_ends_by_relay_only(kamailio: KamailioPeer, coturn: CoturnPeer) -> None:
    """From relay to relay, one of them over TCP; both hear each other."""
    async with (
        registered(kamailio, "alice", media_options=relay_only(coturn)) as alice,
        registered(kamailio, "bob", media_options=relay_only(coturn, "tcp")) as bob,
    ):
        coming = next_call(bob)
        ours = alice.call("bob", audio=Tone(440.0))
        theirs = await within(coming)
        await within(theirs.answer(audio=Tone(660.0)))
        await within(ours.wait_confirmed())
        await eventually("share of bob's tone", lambda: share_of(ours, 660.0), 0.9)
        await eventually("share of alice's tone", lambda: share_of(theirs, 440.0), 0.9)
        for call in (ours, theirs):
            assert RELAYED.fullmatch(call.stats().local_candidate or "")
        await ours.terminate()


# --- of no use --------------------------------------------------------------------------------------------


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_wrong_password(
    asterisk: AsteriskPeer, coturn: CoturnPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """By relay only there is no call, and nothing is sent; with all candidates it is up at once, without the relay."""
    media = relay_only(coturn, password="wrong")
    complaint = f"{coturn.turn['udp']}: it does not take user name and password (401 Unauthorized)"
    sent: list[str] = []
    async with registered(asterisk, "alice", media_options=media) as ua:
        ua.trace(lambda direction, data: sent.append(str(data).split(" ")[0]) if direction == "out" else None)
        with pytest.raises(CallFailed, match="no TURN server gave an address") as caught:
            await within(ua.call("600").wait_confirmed())
        assert complaint in str(caught.value)
        assert caught.value.cause == Cause.WEBRTC_ERROR
        assert sent == []

        began = asyncio.get_running_loop().time()
        call = ua.call("600", ice_transport_policy="all")
        await within(call.wait_confirmed())
        assert asyncio.get_running_loop().time() - began < 2.5
        await call.terminate()
    assert f"the ICE server {complaint.replace(': it', ' is of no use: it')}" in told(caplog)
    await asterisk.idle()


@pytest.mark.parametrize("policy", ["relay", "all"])
async def test_dead_server_holds_a_call_up_for_the_gathering_timeout(
    asterisk: AsteriskPeer, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        url = f"turn:127.0.0.1:{dead.getsockname()[1]}"
        media = {"ice_servers": [IceServer(url, "turn", "turnpw")], "ice_gathering_timeout": 1.0}
        async with registered(asterisk, "alice", media_options=media) as ua:
            began = loop.time()
            call = ua.call("600", ice_transport_policy=policy)
            try:
                await within(call.wait_confirmed())
            except CallFailed as error:
                assert f"{url}: no answer within 1 s" in str(error)  # noqa: PT017 - one of two ways to go on
                assert policy == "relay"
            else:
                assert policy == "all"
                await call.terminate()
            assert 0.9 < loop.time() - began < 4
    assert f"the ICE server {url} is of no use: no answer within 1 s" in told(caplog)
    await asterisk.idle()


async def test_certificate_that_is_not_trusted(
    asterisk: AsteriskPeer, coturn: CoturnPeer, caplog: pytest.LogCaptureFixture
) -> None:
    servers = [IceServer(coturn.turn["tls"], coturn.user, coturn.password)]
    async with registered(asterisk, "alice", media_options={"ice_servers": servers}) as ua, ua.call("600"):
        pass
    url = coturn.turn["tls"].removesuffix("?transport=tcp")
    assert (
        f"the ICE server {url} is of no use: no TLS connection: unable to get local issuer certificate"
        in told(caplog)
    )
    await asterisk.idle()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_server_that_is_lost_in_a_call(
    kamailio: KamailioPeer, coturn: CoturnPeer, transport: str
) -> None:
    """It comes back without our allocation: the call finds a new path by itself, through another one."""
    media = relay_only(coturn, transport) | {"silence_timeout": 1.5}
    async with (
        registered(kamailio, "alice", media_options=media) as alice,
        registered(kamailio, "bob") as bob,
    ):
        coming = next_call(bob)
        ours = alice.call("bob", audio=Tone(440.0))
        theirs = await within(coming)
        await within(theirs.answer(audio=Tone(660.0)))
        await within(ours.wait_confirmed())
        await eventually("share of bob's tone", lambda: share_of(ours, 660.0), 0.9)
        before = ours.stats().local_candidate
        audio = ours.stats().audio
        assert audio is not None
        await coturn.restart()
        async with asyncio.timeout(30):
            while ours.stats().local_candidate in (before, None):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        await eventually("share of bob's tone", lambda: share_of(ours, 660.0), 0.9)
        await eventually("share of alice's tone", lambda: share_of(theirs, 440.0), 0.9)
        assert RELAYED.fullmatch(ours.stats().local_candidate or "")
        now = ours.stats().audio
        assert now is not None
        assert (now.id, now.sent.ssrc, now.received.ssrc) == (audio.id, audio.sent.ssrc, audio.received.ssrc)
        await ours.terminate()
