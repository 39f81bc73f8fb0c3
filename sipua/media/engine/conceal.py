"""Loss concealment for codecs that have none of their own, in the manner of ITU-T G.711 Appendix I.

The last pitch periods before the gap are repeated; after 10 ms the sound gets softer, after 60 ms it is over.
Unlike the Appendix's, this one holds back no audio: the first seam is mended after it instead of before it.
"""

from __future__ import annotations

import numpy as np

from sipua.media.engine.pitch import Samples, best_offset, fade_in, pcm_bytes, samples_of
from sipua.media.pcm import SAMPLE_BYTES, silence

__all__ = ["HISTORY", "Concealer"]

#: Seconds of audio that the gap is filled from.
HISTORY = 0.06

_WINDOW = 0.02
_SHORTEST, _LONGEST = 0.005, 0.015
_STAGE = 0.01
_LENGTH = 0.06
_OVERLAP, _OVERLAP_STEP, _MAX_OVERLAP = 0.004, 0.4, 0.01


class Concealer:
    """Fills one gap after the other in PCM at `rate` Hz: `begin`, `take` until audio is back, `merge`."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._sound: Samples | None = None
        self._taken = 0

    @property
    def active(self) -> bool:
        """Whether there is a gap now."""
        return self._sound is not None

    def begin(self, history: bytes) -> None:
        """A gap begins after this (HISTORY seconds of it, or what there is)."""
        self._taken = 0
        self._sound = _continued(samples_of(history), self._rate)

    def take(self, samples: int) -> bytes:
        """The next so many samples of the gap."""
        sound = self._sound
        first = self._taken
        self._taken += samples
        if sound is None or first >= len(sound):
            return silence(samples)
        pcm = pcm_bytes(sound[first : first + samples])
        return pcm + bytes(samples * SAMPLE_BYTES - len(pcm))

    def merge(self, pcm: bytes) -> bytes:
        """The first audio after the gap, faded in over what would have followed. The gap is over."""
        sound, first = self._sound, self._taken
        self._sound = None
        if sound is None:
            return pcm
        lost = first / self._rate - _STAGE
        overlap = int(min(_OVERLAP + max(0.0, lost) * _OVERLAP_STEP, _MAX_OVERLAP) * self._rate)
        after = samples_of(pcm[: overlap * SAMPLE_BYTES])
        if not len(after):
            return pcm
        rising = fade_in(len(after))
        mixed = after * rising
        before = sound[first : first + len(after)]
        mixed[: len(before)] += before * (1 - rising[: len(before)])
        return pcm_bytes(mixed) + pcm[len(after) * SAMPLE_BYTES :]


def _continued(past: Samples, rate: int) -> Samples:
    """What may follow `past`: `_LENGTH` seconds, fading to nothing."""
    length = int(_LENGTH * rate)
    shortest, longest, window = int(_SHORTEST * rate), int(_LONGEST * rate), int(_WINDOW * rate)
    if len(past) < longest + window or not past.any():
        return np.zeros(0, np.float32)
    offset, _ = best_offset(past[-window:], past[-window - longest : -shortest], rate)
    period = longest - offset
    stage, quarter = int(_STAGE * rate), period // 4
    sound = np.empty(length, np.float32)
    rising = fade_in(quarter)
    for periods, start in enumerate((0, stage, 2 * stage), 1):
        # All cycles begin at the same place of a period, so they are in step with each other.
        cycle = _cycle(past, min(periods, (len(past) - quarter) // period) * period, quarter)
        piece = cycle.take(np.arange(start, length), mode="wrap")
        if start:
            piece[:quarter] = piece[:quarter] * rising + sound[start : start + quarter] * (1 - rising)
        sound[start:] = piece
    # The jump from the last sample there was is spread over the first quarter period.
    sound[:quarter] += (past[-1] - past[-period - 1]) * (1 - fade_in(quarter))
    softer = 1 - fade_in(length - stage)
    sound[stage:] *= softer
    return sound


def _cycle(past: Samples, length: int, quarter: int) -> Samples:
    """The last `length` samples, made to follow themselves without a seam."""
    cycle = past[-length:].copy()
    rising = fade_in(quarter)
    cycle[-quarter:] = cycle[-quarter:] * (1 - rising) + past[-length - quarter : -length] * rising
    return cycle
