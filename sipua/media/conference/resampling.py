"""Between a low rate and one that is a multiple of it: 20 ms in, 20 ms out, by linear filters with exact lengths.

They are linear and do not change with time, so that a sum can be resampled in the place of its parts, and what one
part has become on the way up and down again can be taken from the sum: `echo_filter`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["ECHO_MEMORY", "Down", "Samples", "Up", "echo_filter", "pcm_of", "samples_of"]

Samples = NDArray[np.float32]

# Samples of the low rate that a filter reaches over: 4 ms at 8 kHz.
_TAPS = 32
#: Samples at the low rate that the way up and down depends on, before the present ones.
ECHO_MEMORY = 2 * _TAPS - 2
# The middle of the edge of the filter, in parts of the low rate's band; and its shape: 60 dB down in the stop band.
_EDGE = 0.94
_KAISER = 6.0


def samples_of(pcm: bytes) -> Samples:
    """PCM as numbers up to 32768."""
    return np.frombuffer(pcm, "<i2").astype(np.float32)


def pcm_of(samples: Samples) -> NDArray[np.int16]:
    """The nearest PCM there is."""
    rounded = np.rint(samples)
    return np.clip(rounded, -32768, 32767, out=rounded).astype("<i2")


@lru_cache(maxsize=8)
def _filter(factor: int) -> NDArray[np.float64]:
    """A low pass at the high rate, whose gain is 1."""
    count = _TAPS * factor
    at = (np.arange(count) - (count - 1) / 2) / factor
    taps = np.sinc(_EDGE * at) * np.kaiser(count, _KAISER)
    return np.asarray(taps / taps.sum())


@lru_cache(maxsize=8)
def _phases(factor: int) -> tuple[Samples, ...]:
    """The filter's taps, every `factor`-th from each of the first on."""
    return tuple(_filter(factor)[phase::factor].astype(np.float32) for phase in range(factor))


@lru_cache(maxsize=8)
def echo_filter(factor: int) -> Samples:
    """What `Up` and then `Down` by this factor do together, as one filter at the low rate."""
    low_pass = _filter(factor)
    both = factor * np.convolve(low_pass, low_pass)[factor - 1 :: factor]
    return both.astype(np.float32)


class Up:
    """From the low rate to `factor` times that."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._past = np.zeros(_TAPS - 1, np.float32)

    @property
    def ringing(self) -> bool:
        """Whether something of before is still to come out."""
        return bool(self._past.any())

    def __call__(self, samples: Samples) -> Samples:
        """The next piece, of at least 4 ms."""
        known = np.concatenate([self._past, samples])
        self._past = known[-(_TAPS - 1) :]
        made = np.empty(len(samples) * self._factor, np.float32)
        for phase, taps in enumerate(_phases(self._factor)):
            made[phase :: self._factor] = np.convolve(known, taps, "valid")
        made *= self._factor
        return made


class Down:
    """From `factor` times the low rate to the low rate."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._past = np.zeros((_TAPS - 1) * factor, np.float32)

    @property
    def ringing(self) -> bool:
        """Whether something of before is still to come out."""
        return bool(self._past.any())

    def __call__(self, samples: Samples) -> Samples:
        """The next piece, of at least 4 ms."""
        factor = self._factor
        known = np.concatenate([self._past, samples])
        self._past = known[-len(self._past) :]
        made = np.zeros(len(samples) // factor, np.float32)
        for phase, taps in enumerate(_phases(factor)):
            made += np.convolve(known[factor - 1 - phase :: factor], taps, "valid")
        return made
