"""What the tests with browsers have in common: calls between this library and a browser, and who hears what."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua import UA
from sipua.media.analysis import correlate, detect_tones, level
from sipua.media.files import decode_file
from tests.lab.browsers import LIMIT, BrowserPhone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sipua.events import NewRTCSession
    from sipua.session.session import RTCSession
    from tests.lab.peers import Peer

SPEECH = Path("examples/audio/speech.wav")
RATE = 8000
WINDOW = RATE // 10 * 2
"""Bytes in which a tone is looked for: 0.1 s."""


@contextlib.asynccontextmanager
async def registered(server: Peer, user: str, **options: Any) -> AsyncIterator[UA]:
    """An account of the lab, registered by this library. A test that fails shows its messages."""
    account = server.accounts[user]
    ua = UA(account.uri, sockets=server.ws, password=account.password, **options)
    ua.trace(lambda direction, data: print(f"--- {user} {direction}", data, sep="\n"))
    async with ua:
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


async def called_by_browser(
    ua: UA, phone: BrowserPhone, user: str, *, confirmed: int = 1, **options: Any
) -> RTCSession:
    """The browser's call to us, answered here; it is the browser's first, second … (`confirmed`)."""
    coming = next_call(ua)
    await phone.do("call", user, options)
    call: RTCSession = await within(coming)
    await within(call.answer())
    await phone.wait("confirmed", confirmed)
    return call


async def another_path(call: RTCSession, asked: Awaitable[Any]) -> None:
    """An ICE restart that somebody asks for, after which all is as it was but for the addresses."""
    before = call.stats()
    await within(asked)

    async def moved() -> float:
        return float(call.stats().local_candidate not in (before.local_candidate, None))

    await eventually("another path", moved, 1.0)
    audio, old = call.stats().audio, before.audio
    assert audio is not None
    assert old is not None
    assert (audio.id, audio.sent.ssrc, audio.received.ssrc) == (old.id, old.sent.ssrc, old.received.ssrc)


async def what_browser_hears(phone: BrowserPhone, call: RTCSession, seconds: float) -> float:
    """How much (0 to 1) of the speech that we play now is heard in the browser."""
    speech = decode_file(SPEECH, RATE)[: int(seconds * RATE) * 2]
    await phone.do("listen")
    await call.audio.write(speech, RATE)
    await call.audio.drain()
    await asyncio.sleep(0.5)
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


async def what_we_hear(call: RTCSession, seconds: float) -> bytes:
    """What comes in the next seconds: PCM at RATE."""
    reader = call.audio.read(RATE, max_queued=10)
    heard = bytearray()
    async with asyncio.timeout(LIMIT):
        async for chunk in reader:
            heard += chunk
            if len(heard) >= seconds * RATE * 2:
                break
    reader.close()
    return bytes(heard)


async def what_browser_gets(phone: BrowserPhone, seconds: float = 0.6) -> bytes:
    """What the newest call of the browser brings in the next seconds: PCM at RATE."""
    await phone.do("listen")
    await asyncio.sleep(seconds)
    return await phone.heard()


def share_of_tone(heard: bytes, frequency: float) -> float:
    """How much (0 to 1) of the time this tone is what is heard."""
    pieces = [heard[at : at + WINDOW] for at in range(0, len(heard) - WINDOW + 1, WINDOW)]
    return sum(bool(detect_tones(piece, [frequency], share=0.5)) for piece in pieces) / max(1, len(pieces))


async def eventually(what: str, measure: Callable[[], Awaitable[float]], enough: float) -> None:
    """Measure until it is enough: a path may need a moment to come up, and music a moment to begin."""
    until = time.monotonic() + 10.0
    while (measured := await measure()) < enough:
        await asyncio.sleep(0.02)
        assert time.monotonic() < until, f"{what}: {measured:.3g}, expected {enough:g}"
    print(f"{what}: {measured:.3g}")


async def expect_both_hear(call: RTCSession, phone: BrowserPhone, seconds: float = 1.0) -> None:
    """Each end hears what the other one says."""

    async def tone() -> float:
        return share_of_tone(await what_we_hear(call, seconds), phone.tone)

    await asyncio.gather(
        eventually(f"share of its tone in what comes from {phone}", tone, 0.8),
        eventually(
            f"share of our speech heard by {phone}", lambda: what_browser_hears(phone, call, seconds), 0.5
        ),
    )


async def expect_heard(call: RTCSession, phone: BrowserPhone) -> None:
    """The browser is heard: the call is up in every respect. Asterisk transfers nobody before."""

    async def tone() -> float:
        return share_of_tone(await what_we_hear(call, 0.2), phone.tone)

    await eventually(f"share of its tone in what comes from {phone}", tone, 0.5)


async def expect_browsers_hear(one: BrowserPhone, other: BrowserPhone) -> None:
    """Two browsers that were brought together hear each other."""

    async def tone(listening: BrowserPhone, speaking: BrowserPhone) -> None:
        async def share() -> float:
            return share_of_tone(await what_browser_gets(listening), speaking.tone)

        await eventually(f"share of the tone of {speaking} heard by {listening}", share, 0.8)

    await asyncio.gather(tone(one, other), tone(other, one))


async def expect_music(listen: Callable[[], Awaitable[bytes]], frequency: float) -> None:
    """Something else than this tone."""

    async def loudness() -> float:
        heard = await listen()
        return -127.0 if share_of_tone(heard, frequency) > 0 else level(heard)

    await eventually("level of the music (dBov)", loudness, -60.0)
