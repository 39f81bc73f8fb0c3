"""A long call is clean: the tone never stops, and nothing is lost, made up or out of step.

A minute as a rule; an hour with ``SIPUA_LONG=1``.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sipua.media.analysis import level, load
from sipua.media.interface import AudioSink
from sipua.media.pcm import SAMPLE_BYTES
from sipua.media.sources import Tone
from sipua.testing import STALL, steady
from tests.interop.browser_calls import registered

if TYPE_CHECKING:
    from sipua import UA
    from tests.lab.peers import AsteriskPeer

SECONDS = 3600 if os.environ.get("SIPUA_LONG") == "1" else 60
PITCH = 400.0


class Continuity(AudioSink):
    """Looks at each tenth of a second: is it the tone, at the level of the first, and without a click?

    What comes in the second after this process could not run is not looked at: no program is to blame for that.
    """

    def __init__(self) -> None:
        self.pieces = 0
        self.bad: list[int] = []
        self.excused = 0
        self._excused_until = 0
        self._last = time.monotonic()
        self._pending = bytearray()
        self._loudness: float | None = None

    def write(self, pcm: bytes, rate: int) -> None:
        now = time.monotonic()
        if now - self._last > STALL:
            self._excused_until = self.pieces + 10
        self._last = now
        self._pending += pcm
        size = rate // 10 * SAMPLE_BYTES
        while len(self._pending) >= size:
            self._look(bytes(self._pending[:size]), rate)
            del self._pending[:size]

    def _look(self, piece: bytes, rate: int) -> None:
        loudness = level(piece)
        if self._loudness is None:
            # The first whole piece of the tone; what comes before is the way there.
            if self.pieces > 10 and loudness > -30:
                self._loudness = loudness
        elif self.pieces < self._excused_until:
            self.excused += 1
        elif abs(loudness - self._loudness) > 1.0 or _rest(load(piece), rate) > 0.1:
            self.bad.append(self.pieces)
        self.pieces += 1

    @property
    def heard(self) -> bool:
        return self._loudness is not None


def _rest(samples: np.ndarray, rate: int) -> float:
    """The share of the power that is not the tone: whole periods, so that Fourier's bins are its own."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    place = round(PITCH * len(samples) / rate)
    return 1.0 - float(spectrum[place - 1 : place + 2].sum() / max(spectrum.sum(), 1e-12))


@pytest.mark.timeout(4 * SECONDS + 120)
async def test_a_long_call_is_clean(asterisk: AsteriskPeer) -> None:
    """Two calls at once, one of each codec."""

    async def talk(ua: UA, codec: str) -> None:
        ear = Continuity()
        async with ua.call("600", codecs=(codec,), audio=Tone(PITCH)) as call:
            call.audio.add_sink(ear)
            await asyncio.sleep(SECONDS)
            audio = call.stats().audio
        assert audio is not None
        received, sent = audio.received, audio.sent
        print(f"{codec}: {ear.pieces} pieces, bad: {ear.bad[:20]}, excused: {ear.excused}")
        print(received, audio.remote_received)
        assert ear.heard
        assert ear.pieces == pytest.approx(10 * SECONDS, abs=5)
        assert sent.packets == pytest.approx(50 * SECONDS, rel=0.01, abs=10)
        assert received.packets == pytest.approx(sent.packets, rel=0.002, abs=10)
        assert received.lost == received.discarded == 0
        assert audio.remote_received is not None
        assert audio.remote_received.lost == 0
        assert received.buffer_delay < 0.1
        # A busy machine holds up the server, too, now and then; an hour has room for that.
        assert len(ear.bad) <= SECONDS // 600, ear.bad
        assert ear.excused < 0.1 * ear.pieces

    async def both() -> None:
        async with registered(asterisk, "alice") as ua:
            await asyncio.gather(*(talk(ua, codec) for codec in ("opus", "PCMU")))

    # An hour is not measured again: it has room for stalls.
    await steady(both, tries=3 if SECONDS == 60 else 1)
    await asterisk.idle()
