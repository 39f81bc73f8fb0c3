"""Call apps that take their time with the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipua.media.sources import Tone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from sipua import RTCSession
    from sipua.media.interface import AudioSource

#: Seconds of tone before `early_media` answers.
EARLY_SECONDS = 3.0

#: A proxy cancels what rings for 3 minutes without a sign of life; one a minute is asked for (RFC 3261 §13.3.1.1).
REMINDER = 60.0


def early_media(call: RTCSession) -> Coroutine[None, None, None]:
    """A tone is heard before the call is answered; after that, what the caller says."""
    ringing = call.progress(183, early_media=True, echo=True)  # at once, in the place of a 180
    echo, call.audio.source = call.audio.source, Tone(440.0)
    return _answer_with(call, ringing, echo)


async def _answer_with(call: RTCSession, ringing: Awaitable[None], source: AudioSource | None) -> None:
    await ringing
    await asyncio.sleep(EARLY_SECONDS)
    call.audio.source = source
    await call.answer()
    await call.wait_ended()


async def ring(call: RTCSession) -> None:
    """Never answers."""
    while True:
        await asyncio.sleep(REMINDER)
        call.progress(180)
