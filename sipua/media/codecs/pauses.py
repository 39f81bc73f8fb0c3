"""When a speaker is silent, and what is sent meanwhile (:rfc:`3389#section-4`): now and then what the noise is."""

from __future__ import annotations

import math

import numpy as np

from sipua.media.codecs.comfort import ComfortNoiseEncoder

__all__ = ["Pauses"]

# RMS in 16-bit steps below which a frame can be silence at all: 46 dB below full scale.
_LOUDEST = 160.0
# So many times the quietest of late is still noise (6 dB), and so fast that quietest rises in a second.
_MARGIN = 2.0
_RISE = 2.0
# Seconds of silence after which it is a pause, not the gap between two words.
_HANGOVER = 0.24
# Seconds after which the noise is described again, and the change of it in dB that is told at once.
_REFRESH = 1.0
_CHANGE = 2.5


class Pauses:
    """Judges a stream packet by packet; each is `ptime` milliseconds long."""

    def __init__(self, ptime: int = 20) -> None:
        self._seconds = ptime / 1000
        self._rise = _RISE**self._seconds
        self._encoder = ComfortNoiseEncoder()
        self._floor = _LOUDEST
        self._hangover = round(_HANGOVER / self._seconds)
        self._quiet = 0
        self._untold = math.inf
        self._told = 0.0
        self._level = 0.0

    def judge(self, pcm: bytes) -> bytes | None:
        """None: it is to be sent as it is. Else it is part of a pause: the comfort noise to send, or nothing."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        rms = math.sqrt(float(samples @ samples) / max(1, len(samples)))
        self._floor = min(max(rms, 1.0), self._floor * self._rise, _LOUDEST)
        if rms > self._floor * _MARGIN:
            self._quiet, self._untold = 0, math.inf
            return None
        self._quiet += 1
        self._level = rms if self._quiet == 1 else 0.9 * self._level + 0.1 * rms
        if self._quiet < self._hangover:
            return None
        self._untold += self._seconds
        change = abs(20 * math.log10((self._level + 1) / (self._told + 1)))
        if self._untold < _REFRESH and change < _CHANGE:
            return b""
        self._untold, self._told = 0.0, self._level
        return self._encoder.encode(pcm)
