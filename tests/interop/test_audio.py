"""Who hears what through a real server: hold music, a transfer, a change of codec."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sipua.media.analysis import correlate, level
from sipua.media.files import decode_file
from sipua.media.sources import Tone
from tests.interop.browser_calls import (
    RATE,
    WINDOW,
    eventually,
    next_call,
    registered,
    share_of_tone,
    what_we_hear,
    within,
)
from tests.lab.servers import Asterisk

if TYPE_CHECKING:
    from sipua import RTCSession
    from sipua.events import Sdp
    from tests.lab.peers import AsteriskPeer, KamailioPeer, Peer

MUSIC = Asterisk.root / "usr/share/asterisk/moh"
INTRODUCTION = 30 * RATE * 2
"""Bytes at the beginning of a piece of music in which what was heard is looked for."""

ALICE, BOB, CAROL = 330.0, 440.0, 660.0


async def expect_tone(call: RTCSession, frequency: float, *others: float) -> None:
    """This tone is what comes, and none of the others."""

    async def share() -> float:
        # A decoder of G.722 that begins in the middle takes 60 ms to find the level.
        heard = (await what_we_hear(call, 0.8))[2 * WINDOW :]
        return share_of_tone(heard, frequency) - sum(share_of_tone(heard, other) for other in others)

    await eventually(f"share of {frequency:g} Hz", share, 0.95)


def of_the_music(heard: bytes) -> float:
    """How much what was heard resembles the piece that it is of; not known of a server in a container."""
    pieces = sorted(MUSIC.glob("*.gsm"))
    if not pieces:
        return 1.0
    return max(
        correlate(heard, decode_file(Path(piece), RATE)[:INTRODUCTION]).correlation for piece in pieces
    )


async def expect_music(call: RTCSession) -> None:
    """Music of the server's, and not the tone of before."""

    async def loudness() -> float:
        return level(await what_we_hear(call, 0.3))

    await eventually("level of the music (dBov)", loudness, -45.0)
    heard = await what_we_hear(call, 3.0)
    assert level(heard) > -45
    assert share_of_tone(heard, BOB) < 0.5
    likeness = of_the_music(heard)
    # Another piece has less than 0.4.
    assert likeness > 0.7, likeness


@pytest.mark.parametrize("codec", ["opus", "PCMU"])
async def test_music_on_hold_is_heard(server: Peer, asterisk: AsteriskPeer, codec: str) -> None:
    async with registered(server, "alice") as ua, ua.call("602", codecs=(codec,)) as call:
        await expect_music(call)
    await asterisk.idle()


async def test_music_while_the_other_end_holds(asterisk: AsteriskPeer) -> None:
    """The other end asks Asterisk to hold, and Asterisk plays to us. Both hear each other again after it."""
    async with registered(asterisk, "alice") as alice, registered(asterisk, "bob") as bob:
        coming = next_call(bob)
        calling = alice.call("bob", audio=Tone(ALICE))
        theirs = await within(coming)
        await within(theirs.answer(audio=Tone(BOB)))
        await within(calling.wait_confirmed())
        await asyncio.gather(expect_tone(calling, BOB), expect_tone(theirs, ALICE))
        await within(theirs.hold())
        await expect_music(calling)
        await within(theirs.unhold())
        await asyncio.gather(expect_tone(calling, BOB), expect_tone(theirs, ALICE))
        await calling.terminate()
    await asterisk.idle()


async def test_two_ends_of_an_attended_transfer_hear_each_other(server: Peer, asterisk: AsteriskPeer) -> None:
    """Asterisk joins them itself; through Kamailio, bob calls carol in the place of alice."""
    async with (
        registered(server, "alice") as alice,
        registered(server, "bob") as bob,
        registered(server, "carol") as carol,
    ):
        to_bob = next_call(bob)
        first = alice.call("bob", audio=Tone(ALICE))
        bobs = await within(to_bob)
        bobs.on("refer", lambda event: made.put_nowait(event.accept(audio=Tone(BOB))))
        await within(bobs.answer(audio=Tone(BOB)))
        await within(first.wait_confirmed())
        await expect_tone(bobs, ALICE)
        await within(first.hold())

        to_carol = next_call(carol)
        consultation = alice.call("carol", audio=Tone(ALICE))
        carols = await within(to_carol)
        carols.on("replaces", lambda event: taken.put_nowait(event.accept(audio=Tone(CAROL))))
        await within(carols.answer(audio=Tone(CAROL)))
        await within(consultation.wait_confirmed())
        await asyncio.gather(expect_tone(carols, ALICE), expect_tone(consultation, CAROL))

        made: asyncio.Queue[RTCSession] = asyncio.Queue()
        taken: asyncio.Queue[RTCSession] = asyncio.Queue()
        assert (await within(first.refer(replaces=consultation))).status_code == 200
        await within(asyncio.gather(first.wait_ended(), consultation.wait_ended()))
        if server.name == "kamailio":
            bobs, carols = await within(made.get()), await within(taken.get())
        await asyncio.gather(expect_tone(bobs, CAROL, ALICE), expect_tone(carols, BOB, ALICE))
        await bobs.terminate()
        await within(carols.wait_ended())
    await asterisk.idle()


def only(codec: str, sdp: str) -> str:
    """The description with this codec and telephone-event alone in it."""
    kept = re.findall(rf"a=rtpmap:(\d+) (?:{codec}|telephone-event)/", sdp, re.IGNORECASE)

    def shorten(line: re.Match[str]) -> str:
        return " ".join([line[1], *(number for number in line[2].split() if number in kept)])

    sdp = re.sub(r"(m=audio \d+ \S+) ([\d ]+)", shorten, sdp)
    dropped = (number for number in re.findall(r"a=rtpmap:(\d+)", sdp) if number not in kept)
    for number in dropped:
        sdp = re.sub(rf"a=(?:rtpmap|fmtp|rtcp-fb):{number} .*\r\n", "", sdp)
    return sdp


async def change_codec(call: RTCSession, codec: str, **options: Any) -> None:
    """Offer this codec alone in a re-INVITE."""

    def narrow(event: Sdp) -> None:
        if event.originator == "local":
            event.sdp = only(codec, event.sdp)

    call.on("sdp", narrow)
    await within(call.renegotiate(**options))
    call.off("sdp", narrow)


def codecs(call: RTCSession) -> tuple[str, str]:
    """What is sent and what has come last."""
    audio = call.stats().audio
    assert audio is not None
    return tuple((name or "").partition("/")[0].lower() for name in (audio.sent.codec, audio.received.codec))  # type: ignore[return-value]


async def test_a_change_of_codec_by_re_invite(server: Peer, asterisk: AsteriskPeer) -> None:
    """Asterisk translates for the other end. (Its echo may hang up at such a change, so somebody else is called.)"""
    async with registered(server, "alice") as alice, registered(server, "bob") as bob:
        coming = next_call(bob)
        call = alice.call("bob", audio=Tone(ALICE))
        theirs = await within(coming)
        await within(theirs.answer(audio=Tone(BOB)))
        await within(call.wait_confirmed())
        await asyncio.gather(expect_tone(call, BOB), expect_tone(theirs, ALICE))
        assert codecs(call) == ("opus", "opus")
        for codec in ("PCMU", "G722", "opus", "PCMA"):
            await change_codec(call, codec)
            await asyncio.gather(expect_tone(call, BOB), expect_tone(theirs, ALICE))
            assert codecs(call) == (codec.lower(), codec.lower())
        audio = call.stats().audio
        assert audio is not None
        assert audio.received.discarded == 0
        await call.terminate()
    await asterisk.idle()


async def test_the_peer_changes_the_codec(kamailio: KamailioPeer) -> None:
    async with registered(kamailio, "alice") as alice, registered(kamailio, "bob") as bob:
        coming = next_call(bob)
        call = alice.call("bob", audio=Tone(ALICE))
        theirs = await within(coming)
        await within(theirs.answer(audio=Tone(BOB)))
        await within(call.wait_confirmed())
        for codec, options in (("PCMA", {}), ("G722", {"use_update": True}), ("opus", {})):
            await change_codec(theirs, codec, **options)
            await asyncio.gather(expect_tone(call, BOB), expect_tone(theirs, ALICE))
            assert codecs(call) == codecs(theirs) == (codec.lower(), codec.lower())
        await call.terminate()
