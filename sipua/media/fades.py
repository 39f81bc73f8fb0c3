"""Joins without clicks, and gain: how what is heard changes from one thing to another.

Where sound goes on as it was, it is left as it is, bit by bit.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sipua.media.pcm import SAMPLE_BYTES

__all__ = ["FADE", "Gain", "amplify", "fade_in", "fade_out", "fade_samples", "join", "ratio"]

#: Seconds that one sound takes to give way to another.
FADE = 0.005
# A step of this size (of 32768) from or to silence is below what 8 bit codecs let through: no click.
_INAUDIBLE = 32

_Ramp = NDArray[np.float32]


def fade_samples(rate: int) -> int:
    """Samples in a fade at `rate` Hz."""
    return int(rate * FADE)


@lru_cache(maxsize=16)
def _rising(samples: int) -> _Ramp:
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 0.5) / samples)
    return ramp.astype(np.float32)


def _floats(pcm: bytes) -> _Ramp:
    return np.frombuffer(pcm, "<i2").astype(np.float32)


def _pcm(samples: _Ramp) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def join(tail: bytes, pcm: bytes, rate: int) -> bytes:
    """`pcm`, as long as it was, with the end of another sound laid over its beginning.

    `tail` is how that sound would have gone on; of a sound that was over, its last sample. Both give way to each
    other within `FADE`. After silence `pcm` is left as it is when it begins softly by itself.
    """
    count = min(fade_samples(rate), len(pcm) // SAMPLE_BYTES)
    if count == 0:
        return pcm
    head = _floats(pcm[: count * SAMPLE_BYTES])
    rising = _rising(count)
    old = _floats(tail[: count * SAMPLE_BYTES])
    if len(old) and len(old) < count:
        old = np.concatenate([old, np.full(count - len(old), old[-1], np.float32)])
    fades = bool(len(old) and np.abs(old).max() > _INAUDIBLE)
    if not fades and abs(head[0]) <= max(_INAUDIBLE, _steepest(head)):
        return pcm
    mixed = head * rising
    if len(old):
        mixed += old * rising[::-1]
    return _pcm(mixed) + pcm[count * SAMPLE_BYTES :]


def _steepest(samples: _Ramp) -> float:
    return float(np.abs(np.diff(samples)).max()) if len(samples) > 1 else 0.0


def fade_in(pcm: bytes, rate: int) -> bytes:
    """`pcm`, from nothing, in any case."""
    count = min(fade_samples(rate), len(pcm) // SAMPLE_BYTES)
    if count == 0:
        return pcm
    size = count * SAMPLE_BYTES
    return _pcm(_floats(pcm[:size]) * _rising(count)) + pcm[size:]


def fade_out(pcm: bytes, rate: int) -> bytes:
    """Silence of the length of `pcm`, that begins with its fading out."""
    return join(pcm, bytes(len(pcm)), rate)


def ratio(decibels: float) -> float:
    """The factor for samples that `decibels` of gain are."""
    return float(10 ** (decibels / 20))


def amplify(pcm: bytes, factor: float) -> bytes:
    """Louder or softer; what would be beyond full scale stays there."""
    return _pcm(_floats(pcm) * np.float32(factor))


class Gain:
    """A volume that may be turned while sound goes on: it glides to a new value within one chunk."""

    def __init__(self, decibels: float = 0.0) -> None:
        self.decibels = decibels
        self._present = decibels
        self._factor = ratio(decibels)

    @property
    def decibels(self) -> float:
        """What it is, or glides to. ValueError: not from -120 to 40."""
        return self._wanted

    @decibels.setter
    def decibels(self, decibels: float) -> None:
        if not -120 <= decibels <= 40:
            raise ValueError(f"gain={decibels!r}: must be from -120 to 40 dB")
        self._wanted = decibels

    def __call__(self, pcm: bytes) -> bytes:
        """The next chunk. At 0 dB it is the same object."""
        if self._wanted == self._present:
            return pcm if self._factor == 1.0 or not pcm else amplify(pcm, self._factor)
        before, self._present = self._factor, self._wanted
        self._factor = ratio(self._wanted)
        samples = _floats(pcm)
        return _pcm(samples * np.linspace(before, self._factor, len(samples), dtype=np.float32))
