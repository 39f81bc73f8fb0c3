"""Tones between two media sessions on loopback: named events and sound, both codecs' clocks."""

from __future__ import annotations

import asyncio

import pytest

from sipua.errors import InvalidStateError
from sipua.media.interface import MediaSession
from tests.media.calls import SPEECH, closing, connected, flowing, media, negotiate, until

pytestmark = pytest.mark.realtime

Told = list[tuple[str, float, str]]


def listen(session: MediaSession) -> Told:
    told: Told = []
    session.callbacks.on_dtmf = lambda *tone: told.append(tone)
    return told


def tones(told: Told) -> str:
    return "".join(tone for tone, *_ in told)


def without(codec: str, description: str) -> str:
    """A description from which all formats of this name are gone."""
    lines = description.split("\r\n")
    numbers = [line.split()[0].partition(":")[2] for line in lines if codec in line]
    kept = [line for line in lines if not any(f":{n} " in line for n in numbers)]
    return "\r\n".join(
        " ".join(w for w in line.split(" ") if w not in numbers) if line.startswith("m=audio") else line
        for line in kept
    )


@pytest.mark.parametrize("codec", ["pcmu", "g722", "opus"])
async def test_events_both_ways(codec: str) -> None:
    one, other = media(codecs=(codec,), audio=SPEECH), media(audio=SPEECH)
    heard, heard_too = listen(one), listen(other)
    async with closing(one, other):
        await negotiate(one, other)
        assert (one.dtmf_transport, other.dtmf_transport) == ("RFC4733", "RFC4733")
        await connected(one, other)
        await flowing(one, other)
        lost = one.stats().packets_lost, other.stats().packets_lost
        await asyncio.gather(one.send_dtmf("159D", 60, 50), other.send_dtmf("0*#", 80, 50))
        await until(lambda: len(heard) == 3 and len(heard_too) == 4)
        assert (tones(heard), tones(heard_too)) == ("0*#", "159D")
        assert [(d, by) for _, d, by in heard_too] == [(pytest.approx(0.06), "RFC4733")] * 4
        assert [(d, by) for _, d, by in heard] == [(pytest.approx(0.08), "RFC4733")] * 3
        # Events are packets of the same stream, and the sound goes on.
        await flowing(one, other)
        assert (one.stats().packets_lost, other.stats().packets_lost) == lost


async def test_peer_without_events() -> None:
    one, other = media(), media()
    async with closing(one, other):
        await negotiate(one, other, answer=lambda description: without("telephone-event", description))
        assert one.dtmf_transport is None
        with pytest.raises(InvalidStateError, match="without telephone-events"):
            one.send_dtmf("1")


async def test_events_at_8000_beside_opus() -> None:
    """Some peers know them at that rate only; the timestamps are those of the audio."""
    one, other = media(), media()
    heard, heard_too = listen(one), listen(other)
    async with closing(one, other):
        await negotiate(one, other, offer=lambda text: without("telephone-event/48000", text))
        await connected(one, other)
        assert (one.stats().codec, one.dtmf_transport) == ("opus/48000", "RFC4733")
        await asyncio.gather(one.send_dtmf("11", 60, 50), other.send_dtmf("22", 60, 50))
        await until(lambda: len(heard) == len(heard_too) == 2)
        assert (tones(heard), tones(heard_too)) == ("22", "11")
        assert [d for _, d, _ in heard + heard_too] == [pytest.approx(0.06)] * 4


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
async def test_sound_is_found(codec: str) -> None:
    one, other = media(codecs=(codec,), audio=SPEECH), media(detect_dtmf=True)
    heard = listen(other)
    async with closing(one, other):
        await negotiate(one, other)
        await connected(one, other)
        await flowing(one, other)
        await one.send_dtmf("42#", 80, 80, transport="INBAND")
        await until(lambda: len(heard) == 3)
        assert tones(heard) == "42#"
        assert {by for *_, by in heard} == {"INBAND"}


async def test_events_wait_while_held() -> None:
    one, other = media(), media()
    heard = listen(other)
    async with closing(one, other):
        other.direction = "inactive"
        await negotiate(one, other)
        await connected(one, other)
        sent = one.send_dtmf("7")
        await asyncio.sleep(0.3)
        assert not sent.done()
        other.direction = "sendrecv"
        await negotiate(one, other)
        await sent
        await until(lambda: heard)
        assert tones(heard) == "7"


async def test_closed_meanwhile() -> None:
    one, other = media(), media()
    async with closing(other):
        await negotiate(one, other)
        sent = one.send_dtmf("1,2")
        await one.close()
        with pytest.raises(InvalidStateError, match="closed"):
            await sent
