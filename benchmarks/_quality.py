"""How much what was heard is like what was said: segmental SNR, log-spectral distance, PESQ where it is installed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

PIECE = 0.32
"""Seconds that are put in their place as one; a playout may slip between them."""
SLIP = 0.16
MOST_DELAY = 1.0
FRAME = 0.02
ALIKE = 0.3
"""Correlation from which on a piece is taken to have been found."""
QUIET = -45.0
"""dB below the mean power of the speech: what is softer is silence and is not judged."""


class Quality(NamedTuple):
    """Of one pass of speech over one link."""

    snr: float
    """Segmental signal-to-noise ratio in dB: the mean over 20 ms frames, each between -10 and 35."""
    distance: float
    """Log-spectral distance in dB: 0 is the same."""
    pesq: float | None
    """MOS-LQO of ITU-T P.862 (8 kHz) or P.862.2 (16 kHz), 1 to about 4.6. None: not installed."""
    delay: float
    """Median of where the pieces were found, in seconds."""


def measure(said: Samples, heard: Samples, rate: int) -> Quality:
    """Both at 8000 or 16000 Hz, from -1 to 1; `heard` begins when `said` does, or later."""
    aligned, delays = align(said, heard, rate)
    return Quality(
        segmental_snr(said, aligned, rate),
        spectral_distance(said, aligned, rate),
        pesq(said, heard, rate),
        float(np.median(delays)) if delays else 0.0,
    )


def align(said: Samples, heard: Samples, rate: int) -> tuple[Samples, list[float]]:
    """`heard`, with every piece where it is in `said`; and how late each that is not silence was."""
    size, slip = int(PIECE * rate), int(SLIP * rate)
    aligned = np.zeros(len(said))
    place = _offset(said, heard, rate)
    delays = []
    for start in range(0, len(said) - size + 1, size):
        piece = said[start : start + size]
        window = _cut(heard, start + place - slip, size + 2 * slip)
        if _power(piece) > 10 ** (QUIET / 10) * _power(said):
            likeness = np.correlate(window, piece, "valid")
            sums = np.concatenate(([0.0], np.cumsum(window**2)))
            energy = sums[size:] - sums[:-size]
            scale = np.sqrt(np.maximum(energy, 1e-3 * energy.max() + 1e-12) * (piece @ piece))
            found = int(np.argmax(likeness / scale))
            if likeness[found] > ALIKE * scale[found]:
                place += found - slip
                delays.append(place / rate)
        aligned[start : start + size] = _cut(heard, start + place, size)
    return aligned, delays


def segmental_snr(said: Samples, heard: Samples, rate: int) -> float:
    frames, others = _frames(said, rate), _frames(heard, rate)
    power = (frames**2).mean(axis=1)
    loud = power > 10 ** (QUIET / 10) * _power(said)
    noise = ((frames - others) ** 2).mean(axis=1)
    ratio = 10 * np.log10(power[loud] / np.maximum(noise[loud], 1e-12))
    return float(np.clip(ratio, -10, 35).mean())


def spectral_distance(said: Samples, heard: Samples, rate: int) -> float:
    window = np.hanning(int(FRAME * rate))
    one, other = (np.abs(np.fft.rfft(_frames(x, rate) * window, axis=1)) ** 2 for x in (said, heard))
    loud = one.sum(axis=1) > 10 ** (QUIET / 10) * one.sum(axis=1).mean()
    # Below this there is nothing to hear beside the rest.
    floor = 1e-5 * one.sum(axis=1).mean()
    difference = 10 * np.log10((one[loud] + floor) / (other[loud] + floor))
    return float(np.sqrt((difference**2).mean(axis=1)).mean())


def pesq(said: Samples, heard: Samples, rate: int) -> float | None:
    """It finds the delay itself."""
    try:
        module: Any = importlib.import_module("pesq")
    except ImportError:
        return None
    if not heard.any():
        return 1.0
    try:
        return float(module.pesq(rate, said, heard, "nb" if rate == 8000 else "wb"))
    except module.NoUtterancesError:
        return 1.0


def _offset(said: Samples, heard: Samples, rate: int) -> int:
    size = 1 << (len(said) + len(heard) - 1).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    # Not further: the text may be said more than once.
    return int(np.argmax(np.fft.irfft(product, size)[: int(MOST_DELAY * rate)]))


def _frames(samples: Samples, rate: int) -> Samples:
    size = int(FRAME * rate)
    return samples[: len(samples) // size * size].reshape(-1, size)


def _cut(samples: Samples, start: int, length: int) -> Samples:
    piece = np.zeros(length)
    first, last = max(0, start), min(len(samples), start + length)
    if last > first:
        piece[first - start : last - start] = samples[first:last]
    return piece


def _power(samples: Samples) -> float:
    return float(samples @ samples) / max(1, len(samples))
