"""When many talk at a time: the sum is turned down, so that it fits, instead of being cut off."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sipua.media.conference.resampling import Samples

__all__ = ["Limiter", "glide"]

_FULL = 32767.0
# What a sum that is too loud is turned down to; what is above it while that takes effect is bent.
_KNEE = 0.9 * _FULL
# Up again by 12 dB a second: by this much in a tick.
_RECOVERY = 10 ** (12 / 20 * 0.02)
# Seconds in which gains change: no click, and short enough for the beginning of a word.
_GLIDE = 0.005


@lru_cache(maxsize=8)
def glide(samples: int) -> Samples:
    """The way from 0 to 1 at the beginning of 20 ms of so many samples."""
    rising = np.arange(1, samples + 1) / (_GLIDE * samples * 50)
    return np.minimum(1.0, rising).astype(np.float32)


class Limiter:
    """One gain for everything that is heard in a room, so that it stays in proportion. At 1, nothing is changed."""

    def __init__(self) -> None:
        self.gain = 1.0
        self._before = 1.0
        self._peak = 0.0

    def look(self, peak: float) -> None:
        """The greatest sample of the next 20 ms."""
        self._before, self._peak = self.gain, peak
        grown = min(1.0, self.gain * _RECOVERY)
        self.gain = grown if peak * grown <= _FULL else _KNEE / peak

    def __call__(self, samples: Samples) -> None:
        """Change them in place: 20 ms, in one row or several."""
        before, after = self._before, self.gain
        if before != 1.0 or after != 1.0:
            if before == after:
                samples *= np.float32(after)
            else:
                samples *= np.float32(before) + np.float32(after - before) * glide(samples.shape[-1])
        if self._peak * max(before, after) > _FULL:
            _bend(samples)


def _bend(samples: Samples) -> None:
    sizes = np.abs(samples)
    loud = sizes > _KNEE
    if loud.any():
        room = _FULL - _KNEE
        bent = _KNEE + room * np.tanh((sizes[loud] - _KNEE) / room)
        samples[loud] = np.copysign(bent, samples[loud])
