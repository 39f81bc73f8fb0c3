"""A small voice menu: reads digits, and lets the caller hear that each has arrived."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sipua.media.dtmf.inband import FREQUENCIES
from sipua.media.sources import Tone
from sipua.server.apps.sounds import play

if TYPE_CHECKING:
    from sipua import RTCSession
    from sipua.events import NewDTMF

logger = logging.getLogger("sipua.server")

MAX_DIGITS = 4
#: Seconds to wait for the next digit.
DIGIT_TIMEOUT = 10.0

_BEEP_SECONDS = 0.4
_TONE_SECONDS = 0.2


async def read_digits(call: RTCSession) -> None:
    """A beep, then up to 4 digits, each acknowledged by its own tone; ``#`` or 10 s of silence end it. Then a beep."""
    keys: asyncio.Queue[str] = asyncio.Queue()

    def pressed(event: NewDTMF) -> None:
        if event.originator == "remote":
            keys.put_nowait(event.tone)

    call.on("new_dtmf", pressed)
    await call.answer(detect_dtmf=True)
    await _beep(call)
    digits = ""
    while len(digits) < MAX_DIGITS:
        try:
            key = await asyncio.wait_for(keys.get(), DIGIT_TIMEOUT)
        except TimeoutError:
            break
        if key == "#":
            break
        digits += key
        await play(call, Tone(*FREQUENCIES[key], seconds=_TONE_SECONDS), _TONE_SECONDS)
    logger.info("603: %s sent the digits %s", call.remote_identity.uri, digits or "(none)")
    await _beep(call)


async def _beep(call: RTCSession) -> None:
    await play(call, Tone(1000.0, seconds=_BEEP_SECONDS), _BEEP_SECONDS)
