"""Named events (RFC 4733) with Asterisk and with browsers, both ways, at both clock rates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.interop.browser_calls import call_browser, registered, within

if TYPE_CHECKING:
    from sipua import RTCSession
    from sipua.events import NewDTMF
    from tests.lab.browsers import Browsers
    from tests.lab.peers import AsteriskPeer, Peer

ALL = "0123456789*#ABCD"
SPEECH = "examples/audio/speech.wav"

codecs = pytest.mark.parametrize("codec", ["PCMU", "opus"])


class Keys:
    """The tones that a peer sends."""

    def __init__(self, call: RTCSession) -> None:
        self.events: list[NewDTMF] = []
        self._came = asyncio.Condition()
        call.on("new_dtmf", self._take)

    async def _take(self, event: NewDTMF) -> None:
        if event.originator == "remote":
            async with self._came:
                self.events.append(event)
                self._came.notify_all()

    @property
    def tones(self) -> str:
        return "".join(event.tone for event in self.events)

    async def expect(self, tones: str, seconds: float = 10.0) -> None:
        """Wait for as many, and a little longer for any too many."""
        async with self._came:
            await within(self._came.wait_for(lambda: len(self.events) >= len(tones)), seconds)
        await asyncio.sleep(0.3)
        assert self.tones == tones
        assert {event.transport for event in self.events} == {"RFC4733"}


@codecs
async def test_the_ivr_reads_our_digits(asterisk: AsteriskPeer, codec: str) -> None:
    async with registered(asterisk, "alice") as ua, ua.call("603", codecs=(codec,), audio=SPEECH) as call:
        await asyncio.sleep(1.5)
        assert call.media is not None
        assert call.media.dtmf_transport == "RFC4733"
        await call.send_dtmf("4711", duration=100, inter_tone_gap=100)
        await asterisk.logged(r"IVR-GOT 4711 ")
    await asterisk.idle()


@codecs
@pytest.mark.parametrize(("duration", "gap"), [(50, 50), (2000, 200)], ids=["short", "long"])
async def test_all_tones_there_and_back(asterisk: AsteriskPeer, codec: str, duration: int, gap: int) -> None:
    """Asterisk reads up to # and sends what it has read. At 48 kHz a tone of 2 s takes two segments."""
    tones = "0123456789*ABCD" if duration < 1000 else "1*D"
    async with registered(asterisk, "alice") as ua, ua.call("621", codecs=(codec,)) as call:
        keys = Keys(call)
        await asyncio.sleep(0.5)
        await call.send_dtmf(tones + "#", duration=duration, inter_tone_gap=gap)
        await asterisk.logged(rf"DTMF-GOT {tones.replace('*', chr(92) + '*')} ")
        await keys.expect(tones)


@codecs
async def test_we_read_what_asterisk_sends(asterisk: AsteriskPeer, codec: str) -> None:
    async with registered(asterisk, "alice") as ua:
        async with ua.call("604", codecs=(codec,)) as call:
            keys = Keys(call)
            await keys.expect("1234#")
            # It lengthens its tones of 100 ms with every packet that it reads meanwhile.
            assert all(80 <= event.duration <= 260 for event in keys.events)
        async with ua.call("620", codecs=(codec,)) as call:
            await Keys(call).expect(ALL)


@codecs
async def test_browser(server: Peer, library: str, browsers: Browsers, codec: str) -> None:
    """Browsers report nothing of what comes: the page looks into the packets."""
    async with (
        registered(server, "alice") as ua,
        browsers.phone(library, server, "bob", tones=True) as phone,
    ):
        call = await call_browser(ua, phone, codecs=(codec,))
        keys = Keys(call)
        await phone.do("listen")
        await call.send_dtmf(ALL, duration=100, inter_tone_gap=60)
        await phone.wait("tone", len(ALL))
        assert "".join(event["tone"] for event in phone.events if event["event"] == "tone") == ALL
        await phone.do("dtmf", "1590*#AD", "RFC 4733")
        await keys.expect("1590*#AD")
        if server.name == "kamailio":  # Asterisk makes tones of its own of them
            assert [event.duration for event in keys.events] == [pytest.approx(100, abs=25)] * 8
        await call.terminate()
