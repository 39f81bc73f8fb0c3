"""DTMF tones as sound (ITU-T Q.23): what an old telephone sends."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sipua.media.interface import DTMF_PAUSE, DTMF_TONES, AudioSource, PcmStream
from sipua.media.pcm import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FREQUENCIES", "HIGH", "KEYPAD", "LOW", "DtmfTones", "InbandSender", "tone_pcm"]

LOW = (697.0, 770.0, 852.0, 941.0)
HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD = ("123A", "456B", "789C", "*0#D")
#: The two frequencies of each tone in Hz.
FREQUENCIES = {
    key: (low, high)
    for low, keys in zip(LOW, KEYPAD, strict=True)
    for high, key in zip(HIGH, keys, strict=True)
}

# Q.24: around -9 and -7 dBm0 as they are sent; the high one is louder, as lines damp it more. 0 dBm0 is a sine that
# is 3.14 dB below full scale (ITU-T G.711).
_FULL_SCALE = 32767 * 10 ** (-3.14 / 20)
_LEVELS = (-9.0, -7.0)
# Edges that are this long (s) keep the spectrum clean, and so the talk-off of the other side's detector.
_EDGE = 0.002


@lru_cache(maxsize=256)
def tone_pcm(tone: str, rate: int, duration: int) -> bytes:
    """PCM of one tone of `DTMF_TONES`, `duration` in ms."""
    count = rate * duration // 1000
    time = np.arange(count) / rate
    wave = np.zeros(count)
    for frequency, level in zip(FREQUENCIES[tone], _LEVELS, strict=True):
        wave += _FULL_SCALE * 10 ** (level / 20) * np.sin(2 * np.pi * frequency * time)
    edge = min(int(rate * _EDGE), count // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, edge, endpoint=False)) ** 2
    wave[:edge] *= ramp
    wave[count - edge :] *= ramp[::-1]
    return np.rint(wave).astype("<i2").tobytes()


class DtmfTones(AudioSource):
    """Tones to be heard: `tones` of ``0``–``9``, ``*``, ``#``, ``A``–``D``, and ``,`` for a pause of 2 s.

    `duration` of each and `gap` after each are in ms.
    """

    def __init__(self, tones: str, *, duration: int = 100, gap: int = 100) -> None:
        if not tones or any(tone not in DTMF_TONES + "," for tone in tones):
            raise ValueError(f"tones={tones!r}: only 0-9, *, #, A-D and , (a pause)")
        if duration < 1 or gap < 0:
            raise ValueError(f"duration={duration}, gap={gap}")
        self.tones = tones
        self.duration = duration
        self.gap = gap

    def __repr__(self) -> str:
        return f"DtmfTones({self.tones!r})"

    def seconds(self) -> float:
        """From the beginning of the first tone to the end of the last one; trailing pauses do not count."""
        heard = self.tones.rstrip(",")
        each = self.duration + self.gap
        milliseconds = sum(DTMF_PAUSE if tone == "," else each for tone in heard)
        return max(0, milliseconds - self.gap) / 1000

    def open(self, rate: int) -> PcmStream:
        """A stream from the first tone on."""
        return _ToneStream(self, rate)


class _ToneStream(PcmStream):
    def __init__(self, source: DtmfTones, rate: int) -> None:
        self._source = source
        self._rate = rate
        self._tones = deque(source.tones)
        self._ready = bytearray()

    def read(self, samples: int) -> bytes:
        wanted = samples * SAMPLE_BYTES
        while len(self._ready) < wanted and self._tones:
            tone = self._tones.popleft()
            if tone == ",":
                self._silence(DTMF_PAUSE)
            else:
                self._ready += tone_pcm(tone, self._rate, self._source.duration)
                self._silence(self._source.gap)
        pcm = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        return pcm

    def _silence(self, milliseconds: int) -> None:
        self._ready += bytes(self._rate * milliseconds // 1000 * SAMPLE_BYTES)


class InbandSender:
    """Tones that wait to take the place of a call's outgoing audio."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[DtmfTones, Callable[[bool], None] | None]] = deque()
        self._stream: PcmStream | None = None
        self._rate = 0
        self._left = 0.0  # samples until the last tone of the first that waits is over

    @property
    def active(self) -> bool:
        """Whether there is something to send."""
        return bool(self._waiting)

    def queue(
        self, tones: str, duration: int = 100, gap: int = 100, done: Callable[[bool], None] | None = None
    ) -> None:
        """Send `tones` after those that wait, times in ms.

        `done` is called with True when the last tone is over, with False when `clear` came first; the gap is kept
        before the next tone. Raises ValueError for what cannot be sent.
        """
        self._waiting.append((DtmfTones(tones, duration=duration, gap=gap), done))

    def replace(self, pcm: bytes, rate: int) -> bytes:
        """What to send instead of `pcm`, as long as it is; `pcm` when nothing waits."""
        if not self._waiting:
            return pcm
        if self._stream is None or rate != self._rate:
            # A tone that was begun at another rate is sent once more, in full.
            source = self._waiting[0][0]
            self._stream, self._rate, self._left = source.open(rate), rate, source.seconds() * rate
        samples = len(pcm) // SAMPLE_BYTES
        tones = self._stream.read(samples)
        self._left -= samples
        if self._left <= 0:
            self._tell()
        if len(tones) < len(pcm):
            self._stream = None
            self._waiting.popleft()
            tones += bytes(len(pcm) - len(tones))
        return tones

    def _tell(self) -> None:
        source, done = self._waiting[0]
        if done is not None:
            self._waiting[0] = source, None
            done(True)

    def clear(self) -> None:
        """Forget what waits."""
        waiting, self._waiting, self._stream = self._waiting, deque(), None
        for _, done in waiting:
            if done is not None:
                done(False)
