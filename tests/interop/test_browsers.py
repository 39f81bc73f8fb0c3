"""Calls with the libraries that people run in browsers, through Asterisk and through Kamailio.

The browser's microphone gives a tone that is looked for in what we hear; what the browser hears is compared with
the speech that we play. Kamailio passes on what the two ends say to each other; Asterisk has a call with each.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sipua import CallBusy, CallCanceled, Cause
from sipua.media.analysis import level
from tests.interop.browser_calls import (
    another_path,
    call_browser,
    called_by_browser,
    expect_both_hear,
    expect_music,
    next_call,
    registered,
    what_browser_gets,
    what_we_hear,
    within,
)

if TYPE_CHECKING:
    from tests.lab.browsers import Browsers
    from tests.lab.peers import KamailioPeer, Peer


def test_the_libraries_are_those_that_are_meant(browsers: Browsers) -> None:
    print(browsers.versions)
    assert browsers.versions["jssip"] == "3.13.8"
    assert browsers.versions["sipjs"] == "0.21.2"


@pytest.mark.parametrize("ends", ["ours", "theirs"])
@pytest.mark.parametrize("direction", ["to_browser", "from_browser"])
async def test_call(server: Peer, library: str, browsers: Browsers, direction: str, ends: str) -> None:
    async with registered(server, "alice") as alice, browsers.phone(library, server, "bob") as bob:
        if direction == "to_browser":
            call = await call_browser(alice, bob)
        else:
            call = await called_by_browser(alice, bob, "alice")
        await expect_both_hear(call, bob, 1.6 if ends == "ours" else 0.6)
        stats = await bob.do("stats")
        assert stats["received"] > 30, stats
        assert (stats["codec"], call.stats().codec) == ("audio/opus", "opus/48000")

        if ends == "ours":
            call.terminate()
        else:
            await bob.do("hangup")
        over = await within(call.wait_ended())
        assert (over.originator, over.cause) == ("local" if ends == "ours" else "remote", Cause.BYE)
        assert (await bob.wait("ended"))["by"] == ("remote" if ends == "ours" else "local")


async def test_hold_by_us(server: Peer, library: str, browsers: Browsers) -> None:
    """Kamailio passes it on to the browser; Asterisk keeps it to itself and plays music instead."""
    async with registered(server, "alice") as alice, browsers.phone(library, server, "bob") as bob:
        call = await called_by_browser(alice, bob, "alice")
        await expect_both_hear(call, bob, 0.6)
        await within(call.hold())
        assert call.is_on_hold() == {"local": True, "remote": False}
        if server.name == "kamailio":
            assert (await bob.wait("hold"))["by"] == "remote"
            await asyncio.sleep(0.3)
            assert level(await what_browser_gets(bob)) < -60
        else:
            await expect_music(lambda: what_browser_gets(bob), bob.tone)

        await within(call.unhold())
        assert call.is_on_hold() == {"local": False, "remote": False}
        if server.name == "kamailio":
            assert (await bob.wait("unhold"))["by"] == "remote"
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_hold_by_the_browser(server: Peer, library: str, browsers: Browsers) -> None:
    """As above, from the other end."""
    async with registered(server, "alice") as alice, browsers.phone(library, server, "bob") as bob:
        call = await call_browser(alice, bob)
        told: asyncio.Queue[str] = asyncio.Queue()
        call.on("hold", lambda event: told.put_nowait(f"hold {event.originator}"))
        call.on("unhold", lambda event: told.put_nowait(f"unhold {event.originator}"))
        await expect_both_hear(call, bob, 0.6)
        await bob.do("hold")
        if server.name == "kamailio":
            assert await within(told.get()) == "hold remote"
            assert call.is_on_hold() == {"local": False, "remote": True}
            await asyncio.sleep(0.3)
            assert level(await what_we_hear(call, 0.5)) < -60
        else:
            await expect_music(lambda: what_we_hear(call, 0.5), bob.tone)

        await bob.do("unhold")
        if server.name == "kamailio":
            assert await within(told.get()) == "unhold remote"
        await expect_both_hear(call, bob, 0.6)
        assert call.is_on_hold() == {"local": False, "remote": False}
        await call.terminate()


async def test_hold_by_both(kamailio: KamailioPeer, library: str, browsers: Browsers) -> None:
    """What JsSIP answers forgets that it holds us, too: by that we are not held any more."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await call_browser(alice, bob)
        await within(call.hold())
        await bob.do("hold")
        assert call.is_on_hold() == {"local": True, "remote": True}
        await within(call.unhold())
        assert call.is_on_hold() == {"local": False, "remote": library != "jssip"}
        await bob.do("unhold")
        assert call.is_on_hold() == {"local": False, "remote": False}
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_hold_by_update(kamailio: KamailioPeer, library: str, browsers: Browsers) -> None:
    """JsSIP takes UPDATE, and says so when it calls; SIP.js does not, and gets a re-INVITE."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        sent: list[str] = []
        call = await called_by_browser(alice, bob, "alice")
        alice.trace(lambda direction, data: sent.append(str(data).split()[0]) if direction == "out" else None)
        await within(call.hold(use_update=True))
        await bob.wait("hold")
        await within(call.unhold(use_update=True))
        await bob.wait("unhold")
        await expect_both_hear(call, bob, 0.6)
        assert [method for method in sent if method in ("INVITE", "UPDATE")] == (
            ["UPDATE", "UPDATE"] if library == "jssip" else ["INVITE", "INVITE"]
        )
        await call.terminate()


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
async def test_another_codec(kamailio: KamailioPeer, library: str, browsers: Browsers, codec: str) -> None:
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await call_browser(alice, bob, codecs=(codec,))
        await expect_both_hear(call, bob, 0.6)
        assert (await bob.do("stats"))["codec"] == f"audio/{codec}"
        await call.terminate()


async def test_late_offer(kamailio: KamailioPeer, library: str, browsers: Browsers) -> None:
    """INVITE and re-INVITE without an offer: the browser makes it, our answer is in the ACK."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await call_browser(alice, bob, late_offer=True)
        assert not (await bob.wait("incoming"))["offer"]
        await expect_both_hear(call, bob, 0.6)
        await within(call.renegotiate(late_offer=True))
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_audio_of_a_video_call(kamailio: KamailioPeer, library: str, browsers: Browsers) -> None:
    """The browser offers video as well; the call is about audio alone, and stays so."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await called_by_browser(alice, bob, "alice", video=True)
        await expect_both_hear(call, bob, 0.6)
        assert "m=video" in (await bob.do("stats"))["local"]
        await within(call.hold())
        await within(call.unhold())
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


@pytest.mark.parametrize("calls", ["we", "browser"])
async def test_ice_restarts(kamailio: KamailioPeer, library: str, browsers: Browsers, calls: str) -> None:
    """By both sides, in calls of both: the DTLS association goes on, over other addresses."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await (call_browser(alice, bob) if calls == "we" else called_by_browser(alice, bob, "alice"))
        await expect_both_hear(call, bob, 0.6)
        await another_path(call, call.renegotiate(ice_restart=True))
        await expect_both_hear(call, bob, 0.6)
        await another_path(call, bob.do("restartIce"))
        await expect_both_hear(call, bob, 0.6)
        await within(call.hold())
        await within(call.unhold())
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_busy_and_given_up(server: Peer, library: str, browsers: Browsers) -> None:
    """Each end refuses a call, and each gives one up while it rings."""
    async with registered(server, "alice") as alice, browsers.phone(library, server, "bob") as bob:
        call = alice.call("bob")
        await bob.wait("incoming")
        await bob.do("reject", 486)
        with pytest.raises(CallBusy):
            await within(call.wait_confirmed())
        await bob.wait("failed")

        call = alice.call("bob")
        await bob.wait("incoming", 2)
        call.terminate()
        with pytest.raises(CallCanceled):
            await within(call.wait_confirmed())
        await bob.wait("failed", 2)

        coming = next_call(alice)
        await bob.do("call", "alice")
        call = await within(coming)
        call.terminate(status_code=486)
        assert (await bob.wait("failed", 3))["status"] == 486

        coming = next_call(alice)
        await bob.do("call", "alice")
        call = await within(coming)
        call.progress()
        await bob.wait("progress")
        await bob.do("hangup")
        over = await within(call.wait_ended())
        assert (over.originator, over.cause) == ("remote", Cause.CANCELED)
        await bob.wait("failed", 4)


async def test_dtmf_by_info(server: Peer, library: str, browsers: Browsers) -> None:
    """Asterisk uses INFO with the accounts that are set up so, and on the way through it loses the duration."""
    us, them = ("alice", "bob") if server.name == "kamailio" else ("erin", "frank")
    async with registered(server, us) as ua, browsers.phone(library, server, them) as phone:
        call = await call_browser(ua, phone)
        read: asyncio.Queue[str] = asyncio.Queue()
        call.on(
            "new_dtmf", lambda event: read.put_nowait(event.tone) if event.originator == "remote" else None
        )
        await call.send_dtmf("1*#", duration=160, inter_tone_gap=200, transport_type="INFO")
        await phone.wait("dtmf", 3)
        tones = [event for event in phone.events if event["event"] == "dtmf"]
        assert [event["tone"] for event in tones] == ["1", "*", "#"]
        if server.name == "kamailio":
            assert {event["duration"] for event in tones} == {160}

        await phone.do("dtmf", "90D", "INFO")
        assert [await within(read.get()) for _ in range(3)] == ["9", "0", "D"]
        assert not phone.count("dtmf refused")
        await call.terminate()


async def test_message(server: Peer, library: str, browsers: Browsers) -> None:
    text = "Grüße: 1 < 2 & «ça va»?\r\n  ✓"
    async with registered(server, "alice") as alice, browsers.phone(library, server, "bob") as bob:
        got: asyncio.Queue[Any] = asyncio.Queue()
        alice.on("new_message", lambda event: got.put_nowait(event) if event.originator == "remote" else None)
        assert (await within(alice.send_message("bob", text))).code in (200, 202)
        message = await bob.wait("message")
        assert (message["from"], message["body"]) == ("alice", text)

        await bob.do("message", "alice", text)
        event = await within(got.get())
        assert event.message.body == text
        assert event.request.from_address.uri.user == "bob"


async def test_server_restart_while_registered(server: Peer, library: str, browsers: Browsers) -> None:
    """Both come back by themselves, and then can call each other."""
    async with (
        registered(
            server, "alice", connection_recovery_min_interval=3, connection_recovery_max_interval=4
        ) as alice,
        browsers.phone(library, server, "bob") as bob,
    ):
        lost, back = asyncio.Event(), asyncio.Event()
        alice.on("disconnected", lambda event: lost.set())
        alice.on("registered", lambda event: back.set())
        await server.restart()
        await within(lost.wait())
        await within(back.wait())
        assert alice.is_registered()
        await bob.wait("disconnected")
        await bob.wait("registered", 2)

        call = await called_by_browser(alice, bob, "alice")
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()
