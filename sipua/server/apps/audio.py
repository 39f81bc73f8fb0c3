"""Call apps that let the caller hear something: itself, a tune, music, a tone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.sources import Tone
from sipua.server.apps.sounds import TUNE_SECONDS, music, play, tune

if TYPE_CHECKING:
    from sipua import RTCSession


async def echo(call: RTCSession) -> None:
    """What the caller says comes back."""
    await call.answer(echo=True)
    await call.wait_ended()


async def playback(call: RTCSession) -> None:
    """A tune, once."""
    await call.answer()
    await play(call, tune(), TUNE_SECONDS)


async def hold_music(call: RTCSession) -> None:
    """Music without end."""
    await call.answer(audio=music())
    await call.wait_ended()


async def test_tone(call: RTCSession) -> None:
    """The telephone engineer's test frequency, which divides neither 8000 nor 16000."""
    await call.answer(audio=Tone(1004.0))
    await call.wait_ended()
