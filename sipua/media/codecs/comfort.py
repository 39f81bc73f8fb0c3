"""Comfort noise (:rfc:`3389`): a level and a spectrum in place of the noise behind a silent speaker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sipua.media.codecs.base import AudioDecoder, CodecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Samples = NDArray[np.float64]

__all__ = ["ComfortNoiseDecoder", "ComfortNoiseEncoder"]

_FULL_SCALE = 32768.0
_QUIETEST = 127
# A byte N stands for the reflection coefficient 258 (N - 127) / 32768 (section 3.2).
_STEP = 258 / 32768
_ZERO = 127
_MAX_ORDER = 12
_ORDER = 6
# Of the impulse response of the filter. What is cut off is below the noise of 16 bits.
_TAPS = 96


class ComfortNoiseDecoder(AudioDecoder):
    """Noise at `rate` Hz as the last payload described it; silence before the first one.

    `decode` takes a payload and gives 20 ms; `conceal` goes on, for any number of samples.
    """

    clock_rate: int

    def __init__(self, rate: int = 8000) -> None:
        self.rate = self.clock_rate = rate
        self._random = np.random.default_rng()
        self._response: _Samples = np.zeros(_TAPS)
        self._tail: _Samples = self._random.standard_normal(_TAPS - 1)

    def duration(self, payload: bytes) -> int:
        """20 ms, although it holds until the next packet. Raises CodecError for an empty payload."""
        if not payload:
            raise CodecError("an empty payload")
        return self.rate // 50

    def decode(self, payload: bytes) -> bytes:
        """Raises CodecError for an empty payload; coefficients beyond the 12th are left out."""
        samples = self.duration(payload)
        k = [(byte - _ZERO) * _STEP for byte in payload[1 : 1 + _MAX_ORDER]]
        # 255 is no coefficient (section 3.2) and no filter would be stable with it.
        k = [min(max(value, -0.99), 0.99) for value in k]
        level = _FULL_SCALE * 10 ** (-(payload[0] & 0x7F) / 20)
        response = _impulse_response(k)
        self._response = response * (level / math.sqrt(float(response @ response)))
        return self.conceal(samples)

    def conceal(self, samples: int) -> bytes:
        """The noise goes on."""
        if samples <= 0:
            return b""
        white = np.concatenate((self._tail, self._random.standard_normal(samples)))
        self._tail = white[-(_TAPS - 1) :]
        noise = np.convolve(white, self._response, "valid")
        return np.clip(noise, -32768, 32767).astype("<i2").tobytes()

    def reset(self) -> None:
        """Silence until the next payload."""
        self._response = np.zeros(_TAPS)


class ComfortNoiseEncoder:
    """Describes the noise in some PCM, of any rate."""

    def encode(self, pcm: bytes) -> bytes:
        """The payload: level and six reflection coefficients. Raises CodecError when there is no sample."""
        if len(pcm) < 2 or len(pcm) % 2:
            raise CodecError(f"{len(pcm)} bytes are no whole number of samples")
        samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        power = float(samples @ samples) / len(samples)
        if power < 1:
            return bytes([_QUIETEST])
        level = min(_QUIETEST, max(0, round(-10 * math.log10(power / _FULL_SCALE**2))))
        return bytes([level, *(_ZERO + round(k / _STEP) for k in _reflection(samples))])


def _reflection(samples: _Samples) -> list[float]:
    """The reflection coefficients of the linear prediction of what is not periodic in it (Levinson, Durbin)."""
    windowed = samples * np.hanning(len(samples) + 2)[1:-1]
    r = [
        float(windowed[lag:] @ windowed[: len(windowed) - lag])
        for lag in range(min(_ORDER, len(samples) - 1) + 1)
    ]
    # White noise 40 dB below: a pure tone would bring the filter to the edge of stability.
    error = r[0] = r[0] * 1.0001 + 1e-9
    a: list[float] = []
    reflection = []
    for order in range(1, len(r)):
        k = -(r[order] + sum(c * r[order - 1 - i] for i, c in enumerate(a))) / error
        a = [c + k * a[-1 - i] for i, c in enumerate(a)] + [k]
        error *= 1 - k * k
        reflection.append(min(max(k, -126 * _STEP), 126 * _STEP))
    return reflection


def _impulse_response(k: list[float]) -> _Samples:
    """Of the all-pole filter with these reflection coefficients."""
    a: list[float] = []
    for value in k:
        a = [c + value * a[-1 - i] for i, c in enumerate(a)] + [value]
    response = [1.0]
    for n in range(1, _TAPS):
        response.append(-sum(c * response[n - 1 - i] for i, c in enumerate(a[:n])))
    return np.array(response)
