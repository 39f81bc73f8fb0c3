"""Calls with the libraries that people run in browsers, through Asterisk and through Kamailio.

The browser's microphone gives a tone that is looked for in what we hear; what the browser hears is compared with
the speech that we play. Kamailio passes on what the two ends say to each other; Asterisk has a call with each.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, CallBusy, CallCanceled, Cause
from sipua.media.analysis import correlate, detect_tones, level
from sipua.media.files import decode_file
from tests.lab.browsers import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sipua.events import NewRTCSession
    from sipua.session.session import RTCSession
    from tests.lab.browsers import BrowserPhone, Browsers
    from tests.lab.peers import KamailioPeer, Peer

SPEECH = Path("examples/audio/speech.wav")
RATE = 8000
WINDOW = RATE // 10 * 2
"""Bytes in which a tone is looked for: 0.1 s."""


@contextlib.asynccontextmanager
async def registered(server: Peer, user: str, **options: Any) -> AsyncIterator[UA]:
    """An account of the lab, registered by this library."""
    account = server.accounts[user]
    async with UA(account.uri, sockets=server.ws, password=account.password, **options) as ua:
        yield ua


async def within(awaitable: Any, seconds: float = LIMIT) -> Any:
    """No more than so long; the machine may be busy."""
    return await asyncio.wait_for(awaitable, seconds)


def next_call(ua: UA) -> asyncio.Future[RTCSession]:
    """The next call that comes in; it is not answered."""
    coming: asyncio.Future[RTCSession] = asyncio.get_running_loop().create_future()

    def take(event: NewRTCSession) -> None:
        if event.originator == "remote" and not coming.done():
            coming.set_result(event.session)

    ua.on("new_rtc_session", take)
    return coming


async def call_browser(ua: UA, phone: BrowserPhone, **options: Any) -> RTCSession:
    """Our call to the browser, answered there."""
    call = ua.call(phone.user, **options)
    await phone.wait("incoming")
    await phone.do("answer")
    await within(call.wait_confirmed())
    await phone.wait("confirmed")
    return call


async def called_by_browser(ua: UA, phone: BrowserPhone, user: str, **options: Any) -> RTCSession:
    """The browser's call to us, answered here."""
    coming = next_call(ua)
    await phone.do("call", user, options)
    call: RTCSession = await within(coming)
    await within(call.answer())
    await phone.wait("confirmed")
    return call


async def what_browser_hears(phone: BrowserPhone, call: RTCSession) -> float:
    """How much (0 to 1) of the speech that we play now is heard in the browser."""
    speech = decode_file(SPEECH, RATE)[: int(1.8 * RATE) * 2]
    await phone.do("listen")
    await call.audio.write(speech, RATE)
    await call.audio.drain()
    await asyncio.sleep(0.6)
    return likeness(speech, await phone.heard())


def likeness(played: bytes, heard: bytes) -> float:
    """How much (0 to 1) of what was played is in what was heard, in the right order.

    A browser on a busy machine stretches and shortens what it plays; that spoils the pieces where it happens.
    """
    length = RATE // 5 * 2
    pieces = [(at, played[at : at + length]) for at in range(0, len(played) - length + 1, length)]
    loud = [(at / 2 / RATE, piece) for at, piece in pieces if level(piece) > -45]
    found = [(start, correlate(piece, heard)) for start, piece in loud]
    delay = statistics.median(match.delay - start for start, match in found)
    good = [match.correlation > 0.75 and abs(match.delay - start - delay) < 0.4 for start, match in found]
    return sum(good) / len(good)


async def tone_that_we_hear(call: RTCSession, frequency: float, seconds: float = 1.5) -> float:
    """How much (0 to 1) of what comes in the next seconds is this tone."""
    reader = call.audio.read(RATE, max_queued=10)
    heard = bytearray()
    async with asyncio.timeout(LIMIT):
        async for chunk in reader:
            heard += chunk
            if len(heard) >= seconds * RATE * 2:
                break
    reader.close()
    pieces = [bytes(heard[at : at + WINDOW]) for at in range(0, len(heard) - WINDOW + 1, WINDOW)]
    return sum(bool(detect_tones(piece, [frequency], share=0.5)) for piece in pieces) / len(pieces)


async def expect_both_hear(call: RTCSession, phone: BrowserPhone) -> None:
    """Each end hears what the other one says."""
    until = time.monotonic() + 8.0
    while await tone_that_we_hear(call, phone.tone, 0.3) < 1.0:  # the path may still be coming up
        assert time.monotonic() < until, f"no tone of {phone} is heard"
    heard, tone = await asyncio.gather(what_browser_hears(phone, call), tone_that_we_hear(call, phone.tone))
    print(f"{phone} hears {heard:.0%} of the speech, is heard {tone:.0%} of the time")
    assert tone >= 0.8
    assert heard >= 0.5


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
        await expect_both_hear(call, bob)
        stats = await bob.do("stats")
        assert stats["received"] > 50, stats
        assert (stats["codec"], call.stats().codec) == ("audio/opus", "opus/48000")

        if ends == "ours":
            call.terminate()
        else:
            await bob.do("hangup")
        over = await within(call.wait_ended())
        assert (over.originator, over.cause) == ("local" if ends == "ours" else "remote", Cause.BYE)
        assert (await bob.wait("ended"))["by"] == ("remote" if ends == "ours" else "local")


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
async def test_another_codec(kamailio: KamailioPeer, library: str, browsers: Browsers, codec: str) -> None:
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await call_browser(alice, bob, codecs=(codec,))
        await expect_both_hear(call, bob)
        assert (await bob.do("stats"))["codec"] == f"audio/{codec}"
        await call.terminate()


async def test_late_offer(kamailio: KamailioPeer, library: str, browsers: Browsers) -> None:
    """An INVITE without an offer: the browser makes it, our answer is in the ACK."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await call_browser(alice, bob, late_offer=True)
        assert not (await bob.wait("incoming"))["offer"]
        await expect_both_hear(call, bob)
        await call.terminate()


async def test_audio_of_a_video_call(kamailio: KamailioPeer, library: str, browsers: Browsers) -> None:
    """The browser offers video as well; the call is about audio alone."""
    async with registered(kamailio, "alice") as alice, browsers.phone(library, kamailio, "bob") as bob:
        call = await called_by_browser(alice, bob, "alice", video=True)
        await expect_both_hear(call, bob)
        assert "m=video" in (await bob.do("stats"))["local"]
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
        await expect_both_hear(call, phone)

        await call.send_dtmf("1*#", duration=160, inter_tone_gap=200)
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
            server, "alice", connection_recovery_min_interval=1, connection_recovery_max_interval=2
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
        await expect_both_hear(call, bob)
        await call.terminate()
