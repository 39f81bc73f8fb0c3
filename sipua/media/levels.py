"""How loud both sides of a call are, and when somebody speaks."""

from __future__ import annotations

import math
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sipua.media.interface import AudioLevels

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

__all__ = ["LevelMeter", "VoiceDetector", "VoiceTap", "level_of"]

#: What silence and what is fainter count as, in dBov (:rfc:`6464#section-3`).
FLOOR = -127.0
_FULL_SCALE = 32768.0**2


def level_of(pcm: bytes) -> float:
    """How loud some PCM is in dBov (:rfc:`6464`): 0 for a full-scale square wave, -127 for silence."""
    import numpy as np

    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    power = float(samples.dot(samples)) / (len(samples) * _FULL_SCALE) if len(samples) else 0.0
    return max(FLOOR, 10 * math.log10(power)) if power > 0 else FLOOR


class LevelMeter:
    """The loudness of both directions of a call in its last 20 ms; worked out only when it is asked for."""

    def __init__(self, detach: Callable[[LevelMeter], None]) -> None:
        self._heard = self._said = b""
        self._detach = detach

    def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
        """20 ms of both sides."""
        self._heard, self._said = heard, said

    @property
    def levels(self) -> AudioLevels:
        """Of the last 20 ms, in dBov."""
        return AudioLevels(level_of(self._heard), level_of(self._said))

    def close(self) -> None:
        """Measure no more."""
        self._heard = self._said = b""
        self._detach(self)


# A voice is so much (dB) above the noise, and at least so loud (dBov).
_ABOVE_NOISE = 9.0
_FAINTEST = -55.0
# The noise is what the level falls back to: its minimum over so many pieces of so many frames of 20 ms (3 s).
_PIECES = 15
_PIECE = 10
_LOUDEST_NOISE = -30.0
# Spectral flatness (0 a pure tone, 1 white): white noise has 0.56, the voiced parts of speech less than 0.2.
_FLAT = 0.4
_BAND = (200.0, 3400.0)


class VoiceDetector:
    """Tells when somebody speaks and when they stop, from PCM.

    A voice begins when within 100 ms there are 60 ms that are louder than the noise around them and not noise by their
    spectrum, and it ends after `hangover` seconds without. Noise that goes on, and any sound that does not change for
    three seconds, is no voice.
    """

    def __init__(self, hangover: float = 0.4) -> None:
        self.speaking = False
        """Whether there is a voice."""
        self._hangover = max(1, round(hangover / 0.02))
        self._recent: deque[bool] = deque([False] * 5, maxlen=5)
        self._quiet = 0
        self._minima: deque[float] = deque(maxlen=_PIECES)
        self._piece: list[float] = []

    def feed(self, pcm: bytes, rate: int) -> bool | None:
        """The next 20 ms at `rate` Hz. True: a voice has begun; False: it has ended; None: as before."""
        level = level_of(pcm)
        loud = level > max(self._noise(level) + _ABOVE_NOISE, _FAINTEST) and _flatness(pcm, rate) < _FLAT
        self._recent.append(loud)
        if not self.speaking:
            if sum(self._recent) < 3:
                return None
            self.speaking, self._quiet = True, 0
            return True
        self._quiet = 0 if loud else self._quiet + 1
        if self._quiet < self._hangover:
            return None
        self.speaking = False
        self._recent.extend([False] * 5)
        return False

    def _noise(self, level: float) -> float:
        self._piece.append(level)
        noise = min(*self._minima, *self._piece, _LOUDEST_NOISE)
        if len(self._piece) >= _PIECE:
            self._minima.append(min(self._piece))
            self._piece.clear()
        return noise


@lru_cache(maxsize=16)
def _window(samples: int, rate: int) -> tuple[Any, slice]:
    import numpy as np

    low, high = (round(edge * samples / rate) for edge in _BAND)
    return np.hanning(samples).astype(np.float32), slice(low, high)


def _flatness(pcm: bytes, rate: int) -> float:
    import numpy as np

    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    window, band = _window(len(samples), rate)
    power = np.abs(np.fft.rfft(samples * window))[band] ** 2 + 1.0
    return float(np.exp(np.log(power).mean()) / power.mean()) if len(power) else 1.0


class VoiceTap:
    """Watches both sides of a call; `tell` gets ``remote`` or ``local``, and whether it speaks now."""

    def __init__(self, tell: Callable[[Literal["remote", "local"], bool], None]) -> None:
        self._tell = tell
        self._remote, self._local = VoiceDetector(), VoiceDetector()

    def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
        """20 ms of both sides."""
        change = self._remote.feed(heard, heard_rate)
        if change is not None:
            self._tell("remote", change)
        change = self._local.feed(said, said_rate)
        if change is not None:
            self._tell("local", change)
