"""Video with a browser through Kamailio, and with Asterisk, which refuses it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua import TestPattern
from sipua.media.video.pattern import BARS
from tests.interop.browser_calls import (
    another_path,
    call_browser,
    called_by_browser,
    expect_both_hear,
    next_call,
    registered,
    within,
)

if TYPE_CHECKING:
    from sipua import RTCSession
    from tests.lab.browsers import BrowserPhone, Browsers
    from tests.lab.peers import AsteriskPeer, KamailioPeer

PATTERN = TestPattern(320, 240, 15)
LIMIT = 20


async def expect_both_see(call: RTCSession, phone: BrowserPhone) -> None:
    """The browser gets our bars; we get what its camera paints, one colour that changes."""
    seen = await phone.do("picture")
    assert (seen["width"], seen["height"]) == (320, 240)
    assert worst(seen["colours"]) < 48, seen
    frame = await within(call.video.frame(), LIMIT)
    assert frame.width > 0
    picture = frame.reformat(format="rgb24").to_ndarray()
    assert picture.std(axis=(0, 1)).max() < 40  # it is of one colour
    before = picture.mean(axis=(0, 1))
    async with asyncio.timeout(LIMIT):
        while True:
            later = (await call.video.frame()).reformat(format="rgb24").to_ndarray().mean(axis=(0, 1))
            if abs(later - before).max() > 30:
                return


def worst(colours: Any) -> int:
    """The greatest deviation from the bars of the pattern."""
    pairs = zip(colours, BARS, strict=True)
    return max(abs(a - b) for seen, shown in pairs for a, b in zip(seen, shown, strict=True))


async def test_we_add_video_and_take_it_away(kamailio: KamailioPeer, browsers: Browsers) -> None:
    async with registered(kamailio, "alice") as alice, browsers.phone("jssip", kamailio, "bob") as bob:
        call = await call_browser(alice, bob)
        await expect_both_hear(call, bob, 0.6)
        await within(call.add_video(PATTERN))
        # The browser has no camera in this call: it takes ours, and shows nothing.
        assert call.directions() == {"audio": "sendrecv", "video": "sendonly"}
        assert worst((await bob.do("picture"))["colours"]) < 48
        await within(call.hold())
        assert set(call.directions().values()) == {"sendonly"}
        await within(call.unhold())
        assert worst((await bob.do("picture"))["colours"]) < 48
        await within(call.remove_video())
        assert call.directions() == {"audio": "sendrecv"}
        await expect_both_hear(call, bob, 0.6)
        await within(call.add_video(PATTERN))
        assert call.directions()["video"] == "sendonly"
        assert worst((await bob.do("picture"))["colours"]) < 48
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_the_browser_adds_video(kamailio: KamailioPeer, browsers: Browsers) -> None:
    async with registered(kamailio, "alice") as alice, browsers.phone("jssip", kamailio, "bob") as bob:
        call = await called_by_browser(alice, bob, "alice")
        call.accept_video(PATTERN)
        await bob.do("addVideo")
        assert call.directions() == {"audio": "sendrecv", "video": "sendrecv"}
        await expect_both_see(call, bob)
        await expect_both_hear(call, bob, 0.6)
        await within(call.renegotiate())
        await expect_both_see(call, bob)
        await another_path(call, call.renegotiate(ice_restart=True))
        await expect_both_see(call, bob)
        await another_path(call, bob.do("restartIce"))
        await expect_both_see(call, bob)
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_a_video_call_from_the_browser(
    kamailio: KamailioPeer, library: str, browsers: Browsers
) -> None:
    async with (
        registered(kamailio, "alice", media_options={"video": PATTERN}) as alice,
        browsers.phone(library, kamailio, "bob") as bob,
    ):
        call = await called_by_browser(alice, bob, "alice", video=True)
        assert call.directions() == {"audio": "sendrecv", "video": "sendrecv"}
        await expect_both_see(call, bob)
        await expect_both_hear(call, bob, 0.6)
        await within(call.hold())
        await within(call.unhold())
        await expect_both_see(call, bob)
        await call.terminate()


async def test_a_video_call_to_the_browser(kamailio: KamailioPeer, browsers: Browsers) -> None:
    async with registered(kamailio, "alice") as alice, browsers.phone("jssip", kamailio, "bob") as bob:
        call = alice.call("bob", video=PATTERN)
        await bob.wait("incoming")
        await bob.do("answer", {"video": True})
        await within(call.wait_confirmed())
        await bob.wait("confirmed")
        await expect_both_see(call, bob)
        await expect_both_hear(call, bob, 0.6)
        await call.terminate()


async def test_asterisk_refuses_video(asterisk: AsteriskPeer) -> None:
    """Port 0 without ICE; the call is one of audio, and stays so."""
    async with registered(asterisk, "alice") as alice, registered(asterisk, "bob") as bob:
        coming = next_call(bob)
        call = alice.call("bob", video=PATTERN)
        other = await within(coming)
        await within(other.answer(video=PATTERN))
        await within(call.wait_confirmed())
        assert "m=video" in (call.media.local_description or "") if call.media else False
        assert call.directions() == {"audio": "sendrecv"}
        await heard(call)
        await within(call.hold())
        await within(call.unhold())
        assert call.directions() == {"audio": "sendrecv"}
        await heard(call)
        await another_path(call, call.renegotiate(ice_restart=True))
        await heard(call)
        await call.terminate()


async def heard(call: RTCSession) -> None:
    """Audio comes."""
    before = call.stats().packets_received
    async with asyncio.timeout(LIMIT):
        while call.stats().packets_received < before + 20:  # noqa: ASYNC110 - counted elsewhere
            await asyncio.sleep(0.05)
