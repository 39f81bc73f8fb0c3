"""Sounds to send through codecs, and how much of them comes out."""

from __future__ import annotations

from functools import cache

import numpy as np

from sipua.media.analysis import correlate
from sipua.media.files import decode_file
from sipua.media.pcm import Resampler
from tests.media.calls import SPEECH


@cache
def speech(rate: int) -> bytes:
    """A sentence, at `rate` Hz."""
    return decode_file(SPEECH, rate)


def packets(pcm: bytes, rate: int, ptime: int = 20) -> list[bytes]:
    """Cut into packets; what is left over goes."""
    size = rate * ptime // 1000 * 2
    return [pcm[start : start + size] for start in range(0, len(pcm) - size + 1, size)]


def likeness(pcm: bytes, rate: int) -> float:
    """How much it is like the sentence, 0 to 1."""
    return correlate(SPEECH, pcm if rate == 8000 else Resampler(rate, 8000)(pcm)).correlation


def noise(rms: float, samples: int, seed: int = 1) -> bytes:
    """White noise."""
    return (np.random.default_rng(seed).standard_normal(samples) * rms).astype("<i2").tobytes()


def loudness(pcm: bytes) -> float:
    """RMS in 16-bit steps."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.sqrt(np.mean(samples**2)))
