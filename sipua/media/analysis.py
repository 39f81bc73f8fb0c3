"""Is what came back what was played, how late, how loud, which tone? For demos, tests and monitoring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sipua.media.files import decode_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["Match", "correlate", "detect_tones", "level", "load"]

_RATE = 8000
# A path with clocks and buffers of its own may slip: every piece of this length (s) is allowed to, by so
# much.
_PIECE = 0.5
_SLIP = 0.25
# Places between two samples that are tried.
_FINER = 4


class Match(NamedTuple):
    """How a recording compares with what was played."""

    delay: float
    """Seconds from the start of the recording to where the played sound begins in it."""
    correlation: float
    """1.0 for the same sound at any volume, about 0 for another one."""
    slips: int = 0
    """Pieces that came some milliseconds earlier or later than the rest."""


def load(audio: str | PathLike[str] | bytes | NDArray[Any], rate: int = _RATE) -> NDArray[np.float64]:
    """Samples at `rate`, from -1 to 1: of a file, of PCM that has that rate already, or of an array."""
    if isinstance(audio, np.ndarray):
        samples = audio.astype(np.float64)
        return samples / 32768 if audio.dtype.kind == "i" else samples
    pcm = audio if isinstance(audio, bytes) else decode_file(Path(audio), rate)
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64) / 32768


def correlate(
    played: str | PathLike[str] | bytes | NDArray[Any],
    recorded: str | PathLike[str] | bytes | NDArray[Any],
    *,
    rate: int = _RATE,
) -> Match:
    """Find `played` in `recorded`. Both are compared at `rate` Hz (8000: the telephone band).

    The delay is where the whole fits best. The correlation is that of all samples of the played sound, of
    which each half second may sit up to 250 ms beside that place, as it does when a jitter buffer has
    adapted meanwhile; silence does not count. Empty or silent audio has correlation 0.
    """
    reference, recording = _centred(load(played, rate)), _centred(load(recorded, rate))
    if not reference.any() or not recording.any():
        return Match(0.0, 0.0)
    reference, recording, rate = _finer(reference), _finer(recording), rate * _FINER
    offset = _best_offset(reference, recording)
    piece, slip, silent = int(_PIECE * rate), int(_SLIP * rate), 0.01 * _power(reference)
    product = energy_played = energy_heard = 0.0
    slips = 0
    for start in range(0, len(reference), piece):
        part = reference[start : start + piece]
        heard, moved = _aligned(part, recording, offset + start, slip)
        part, heard = _centred(part), _centred(heard)
        product += float(part @ heard)
        energy_played += float(part @ part)
        energy_heard += float(heard @ heard)
        # Under 2 ms is filters and rounding; in silence there is nothing to align.
        slips += abs(moved) > rate // 500 and _power(part) > silent
    if not energy_heard:
        return Match(offset / rate, 0.0)
    return Match(offset / rate, product / float(np.sqrt(energy_played * energy_heard)), slips)


def level(audio: str | PathLike[str] | bytes | NDArray[Any]) -> float:
    """The level in dBov: 0 is a square wave at full scale, -127 silence (:rfc:`6464`)."""
    power = _power(load(audio))
    return max(-127.0, 10 * float(np.log10(power))) if power > 0 else -127.0


def detect_tones(
    audio: str | PathLike[str] | bytes | NDArray[Any],
    frequencies: Iterable[float],
    *,
    rate: int = _RATE,
    share: float = 0.2,
) -> list[float]:
    """Which of these frequencies (Hz) carry at least `share` of the power, by Goertzel's algorithm."""
    samples = load(audio, rate)
    total = _power(samples)
    if not total:
        return []
    return [f for f in frequencies if _tone_power(samples, f, rate) >= share * total]


def _tone_power(samples: NDArray[np.float64], frequency: float, rate: int) -> float:
    # One bin of a discrete Fourier transform, at any frequency; a sine of amplitude a gives a²/2.
    angles = 2 * np.pi * frequency / rate * np.arange(len(samples))
    return 2 * float(abs(samples @ np.exp(-1j * angles)) / len(samples)) ** 2


def _similarity(pattern: NDArray[np.float64], samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross-correlation at every shift; those before the start are at the end."""
    size = 1 << (len(pattern) + len(samples) - 1).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(pattern, size))
    return np.fft.irfft(spectrum, size)


def _best_offset(reference: NDArray[np.float64], recording: NDArray[np.float64]) -> int:
    """Where in the recording (may be negative) the reference fits best."""
    similarity = _similarity(reference, recording)
    best = int(np.argmax(np.abs(similarity)))
    return best if best < len(recording) else best - len(similarity)


def _aligned(
    part: NDArray[np.float64], recording: NDArray[np.float64], expected: int, slip: int
) -> tuple[NDArray[np.float64], int]:
    """The piece of the recording that fits `part` best near `expected`, and how far from there it is."""
    window = _cut(recording, expected - slip, len(part) + 2 * slip)
    similarity = _similarity(part, window)[: 2 * slip + 1]
    # Scaled by the energy of each place, or the loudest would win.
    energy = np.concatenate([[0.0], np.cumsum(window**2)])
    energy = energy[len(part) :] - energy[: -len(part)]
    floor = max(float(energy.max()) * 1e-6, 1e-12)
    best = int(np.argmax(similarity / np.sqrt(np.maximum(energy, floor))))
    return window[best : best + len(part)], best - slip


def _finer(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """With more samples in between, so that a delay need not be a whole number of samples."""
    spectrum = np.fft.rfft(samples)
    length = len(samples) * _FINER
    return np.fft.irfft(np.pad(spectrum, (0, length // 2 + 1 - len(spectrum))), length) * _FINER


def _cut(samples: NDArray[np.float64], start: int, length: int) -> NDArray[np.float64]:
    """A piece, with silence where there is nothing."""
    piece = np.zeros(length)
    first, last = max(0, start), min(len(samples), start + length)
    if last > first:
        piece[first - start : last - start] = samples[first:last]
    return piece


def _centred(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return samples - samples.mean() if len(samples) else samples


def _power(samples: NDArray[np.float64]) -> float:
    return float(samples @ samples) / len(samples) if len(samples) else 0.0
