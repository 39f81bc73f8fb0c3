"""Finds DTMF tones in sound, and not in speech (ITU-T Q.24).

Blocks of 12.75 ms, one every half block, are compared with the eight frequencies (Goertzel's DFT at just these, as one
matrix product). A block is a hit when one low and one high frequency hold nearly all of its power, at levels that fit
each other. Four hits in a row begin a tone; about 30 ms without one end it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sipua.media.dtmf.inband import HIGH, KEYPAD, LOW
from sipua.media.dtmf.named import DtmfEvent
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["DtmfDetector", "DtmfSink"]

_BLOCK = 0.01275
# Telephones may be off by 1.5 % and 2 Hz: each frequency is tried at three places.
_DETUNED = (0.985, 1.0, 1.015)
# Each of the two is to be at least this loud: -29 dBm0, as amplitude (0 dBm0 is 3.14 dB under full scale).
_FAINTEST = 32767 * 10 ** ((-29 - 3.14) / 20)
# Twist: how much louder one of them may be than the other (power). Lines damp the high one.
_LOW_OVER_HIGH = 10**1.05
_HIGH_OVER_LOW = 10**0.6
# How much stronger they are than the others of their group, and their share of all power in the block.
_PEAK = 6.3
_SHARE = 0.75
# Hits that begin a tone (a tone of 40 ms has at least four, of 23 ms none), and misses that end it (a gap of 10 ms
# makes three or four, of 40 ms seven).
_BEGIN = 4
_END = 5


@lru_cache(maxsize=8)
def _matrix(size: int, rate: int) -> NDArray[np.float32]:
    """Cosines and sines of all frequencies, scaled so that a product is an amplitude."""
    frequencies = np.array([f * detuned for f in (*LOW, *HIGH) for detuned in _DETUNED])
    phase = 2 * np.pi / rate * np.outer(np.arange(size), frequencies)
    return (np.hstack((np.cos(phase), np.sin(phase))) * (2 / size)).astype(np.float32)


class DtmfDetector:
    """Listens to one stream of PCM."""

    def __init__(self) -> None:
        self._rate = 0
        self._samples: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._clear()

    def _clear(self) -> None:
        self._candidate = ""
        self._hits = 0
        self._tone = ""
        self._length = 0
        self._misses = 0

    def feed(self, pcm: bytes, rate: int) -> list[DtmfEvent]:
        """Take the next PCM (16 bit, one channel, any rate from 8000 Hz); returns the tones that are over by it."""
        if rate != self._rate:
            self._rate = rate
            self._size = round(rate * _BLOCK)
            self._hop = self._size // 2
            self._samples = np.empty(0, dtype=np.float32)
        self._samples = np.concatenate((self._samples, np.frombuffer(pcm, dtype="<i2")))
        count = (len(self._samples) - self._size) // self._hop + 1
        if count < 1:
            return []
        blocks = np.lib.stride_tricks.sliding_window_view(self._samples, self._size)[
            : count * self._hop : self._hop
        ]
        tones = self._tones(blocks)
        self._samples = self._samples[count * self._hop :].copy()
        return [event for tone in tones if (event := self._step(tone)) is not None]

    def _tones(self, blocks: NDArray[np.float32]) -> list[str]:
        """The tone of each block, empty where there is none."""
        power = np.einsum("ij,ij->i", blocks, blocks) / self._size
        if power.max() < _FAINTEST**2:
            return [""] * len(blocks)
        products = blocks @ _matrix(self._size, self._rate)
        middle = products.shape[1] // 2
        squares = products[:, :middle] ** 2 + products[:, middle:] ** 2
        squares = squares.reshape(len(blocks), len(LOW) + len(HIGH), len(_DETUNED))
        best, exact = squares.max(axis=2).tolist(), squares[:, :, len(_DETUNED) // 2].tolist()
        return [_tone(*block) for block in zip(best, exact, power.tolist(), strict=True)]

    def _step(self, tone: str) -> DtmfEvent | None:
        """One block on; returns the tone that it ends."""
        self._hits = self._hits + 1 if tone and tone == self._candidate else 1
        self._candidate = tone
        if self._tone:
            self._length += 1
            if tone == self._tone:
                self._misses = 0
                return None
            self._misses += 1
        begins = bool(tone) and self._hits >= _BEGIN
        if not begins and (not self._tone or self._misses < _END):
            return None
        over = self._over() if self._tone else None
        self._tone, self._length, self._misses = (tone, self._hits, 0) if begins else ("", 0, 0)
        return over

    def _over(self) -> DtmfEvent:
        hops = self._length - self._misses - 1
        return DtmfEvent(self._tone, (hops * self._hop + self._size) / self._rate)


def _tone(best: list[float], exact: list[float], power: float) -> str:
    """The tone that these squared amplitudes are; empty for none.

    `best` are at the detuned frequencies, too; `exact` at the nominal ones alone: neighbours come too near otherwise.
    """
    low, high = best[: len(LOW)], best[len(LOW) :]
    row, column = max(low), max(high)
    if (
        min(row, column) < _FAINTEST**2
        or row > column * _LOW_OVER_HIGH
        or column > row * _HIGH_OVER_LOW
        or row + column < 2 * _SHARE * power
    ):
        return ""
    line, position = low.index(row), high.index(column)
    others = max(f for i, f in enumerate(exact[: len(LOW)]) if i != line) * _PEAK > row
    if others or max(f for i, f in enumerate(exact[len(LOW) :]) if i != position) * _PEAK > column:
        return ""
    return KEYPAD[line][position]


class DtmfSink(AudioSink):
    """A detector as a sink of a call; `on_tone` is called with each tone when it is over."""

    def __init__(self, on_tone: Callable[[DtmfEvent], None]) -> None:
        self._on_tone = on_tone
        self._detector = DtmfDetector()

    def write(self, pcm: bytes, rate: int) -> None:
        """Listen."""
        for event in self._detector.feed(pcm, rate):
            self._on_tone(event)
