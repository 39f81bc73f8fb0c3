"""A little shorter or longer, with the same pitch: one period is left out or said twice, with a cross-fade."""

from __future__ import annotations

import numpy as np

from sipua.media.engine.pitch import Samples, best_offset, fade_in, pcm_bytes, samples_of
from sipua.media.pcm import SAMPLE_BYTES

__all__ = ["SILENT", "compress", "expand"]

_SHORTEST, _LONGEST = 0.0025, 0.015
_FADE = 0.005
#: The root mean square of what counts as silence: -54 dBov.
SILENT = 64.0
_ALIKE = 0.6


def compress(pcm: bytes, rate: int, most: int, *, anyhow: bool = False, soft: float = SILENT) -> bytes:
    """Without some of its samples, `most` of them at most; the first and the last are as they were.

    Speech loses a pitch period, and only where two periods are alike, or `anyhow`; what is softer than `soft`
    (root mean square of its samples) loses what it may.
    Returns `pcm` itself where nothing fits.
    """
    samples = samples_of(pcm)
    fade = int(_FADE * rate)
    lag = _lag(samples, rate, most, fade, anyhow, soft)
    if not lag:
        return pcm
    rising = fade_in(fade)
    seam = samples[:fade] * (1 - rising) + samples[lag : lag + fade] * rising
    return pcm_bytes(seam) + pcm[(lag + fade) * SAMPLE_BYTES :]


def expand(pcm: bytes, rate: int, most: int, *, anyhow: bool = False, soft: float = SILENT) -> bytes:
    """With some samples more, `most` at most. The rest as `compress`."""
    samples = samples_of(pcm)
    fade = int(_FADE * rate)
    lag = _lag(samples, rate, most, fade, anyhow, soft)
    if not lag:
        return pcm
    rising = fade_in(fade)
    seam = samples[lag : lag + fade] * (1 - rising) + samples[:fade] * rising
    return pcm[: lag * SAMPLE_BYTES] + pcm_bytes(seam) + pcm[fade * SAMPLE_BYTES :]


def _lag(samples: Samples, rate: int, most: int, fade: int, anyhow: bool, soft: float) -> int:
    """After how many samples the beginning comes again, 0 for never."""
    longest = min(most, len(samples) - fade)
    if longest < 1:
        return 0
    concerned = samples[: longest + fade]
    if float(np.sqrt(np.mean(np.square(concerned)))) < soft:
        return longest
    shortest = int(_SHORTEST * rate)
    longest = min(longest, int(_LONGEST * rate))
    if longest < shortest:
        return 0
    offset, likeness = best_offset(samples[:fade], samples[shortest : longest + fade], rate)
    return shortest + offset if anyhow or likeness >= _ALIKE else 0
