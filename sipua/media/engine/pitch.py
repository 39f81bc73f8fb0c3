"""Where a piece of a signal comes again: the pitch of voiced speech, and the best place for a splice."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "best_offset", "fade_in", "pcm_bytes", "samples_of"]

Samples = NDArray[np.float32]

# Speech needs no more than this for its pitch to be found; the exact place is looked up afterwards.
_COARSE_RATE = 8000


def samples_of(pcm: bytes) -> Samples:
    """The samples of PCM as numbers that can be reckoned with."""
    return np.frombuffer(pcm, "<i2").astype(np.float32)


def pcm_bytes(samples: Samples) -> bytes:
    """PCM, cut off at full scale."""
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


@lru_cache(maxsize=64)
def fade_in(length: int) -> Samples:
    """A ramp from just above 0 to just below 1. What fades out has one minus this."""
    ramp: Samples = ((np.arange(length) + 0.5) / max(length, 1)).astype(np.float32)
    ramp.flags.writeable = False
    return ramp


def best_offset(pattern: Samples, signal: Samples, rate: int) -> tuple[int, float]:
    """Where in `signal` a piece is most like `pattern`, and the normalised correlation there (-1 to 1).

    `signal` is at least as long as `pattern`.
    """
    factor = rate // _COARSE_RATE
    if factor <= 1 or len(pattern) < 4 * factor:
        return _best(pattern, signal)
    width = len(pattern)
    coarse = _best(_thinned(pattern, factor), _thinned(signal, factor))[0] * factor
    first = max(0, coarse - factor)
    offset, likeness = _best(pattern, signal[first : coarse + factor + width])
    return first + offset, likeness


def _best(pattern: Samples, signal: Samples) -> tuple[int, float]:
    width = len(pattern)
    products = np.correlate(signal, pattern, "valid")
    # In double precision, or the difference of two great sums would have no digits left.
    sums = np.concatenate(([0.0], np.cumsum(np.square(signal, dtype=np.float64))))
    energies = sums[width:] - sums[:-width]
    likeness = products / np.sqrt(np.maximum(energies * float(pattern @ pattern), 1.0))
    offset = int(likeness.argmax())
    return offset, float(likeness[offset])


def _thinned(samples: Samples, factor: int) -> Samples:
    whole = len(samples) // factor * factor
    thinned: Samples = samples[:whole].reshape(-1, factor).mean(axis=1)
    return thinned
