"""Calls between two media sessions on loopback, for tests on the real clock."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.media.interface import AudioSink, MediaOptions, MediaSession
from sipua.media.rtc import RtcMedia

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LOOPBACK = ("127.0.0.1",)
SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "speech.wav"


class Heard(AudioSink):
    """Everything that was heard, in memory."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.rate = 0
        self.closed = False

    def write(self, pcm: bytes, rate: int) -> None:
        self.rate = rate
        self.pcm += pcm

    def close(self) -> None:
        self.closed = True


def media(**options: Any) -> RtcMedia:
    options.setdefault("ice_host_addresses", LOOPBACK)
    return RtcMedia(MediaOptions(**options))


async def negotiate(
    caller: MediaSession,
    callee: MediaSession,
    *,
    offer: Callable[[str], str] = str,
    answer: Callable[[str], str] = str,
) -> None:
    """One round; `offer` and `answer` may change what is on the way."""
    description = offer(await caller.create_offer())
    await caller.apply_answer(answer(await callee.create_answer(description)))


async def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - what is waited for is counted in another library
            await asyncio.sleep(0.005)


async def connected(*sessions: MediaSession, timeout: float = 5.0) -> None:
    await until(lambda: all(s.state == "connected" for s in sessions), timeout)


async def flowing(*sessions: MediaSession, timeout: float = 5.0) -> None:
    """Wait until packets have arrived that were sent after this was called."""
    before = [s.stats().packets_received for s in sessions]
    await until(
        lambda: all(s.stats().packets_received > n + 3 for s, n in zip(sessions, before, strict=True)),
        timeout,
    )


@asynccontextmanager
async def closing(*sessions: MediaSession) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await asyncio.gather(*(s.close() for s in sessions))
