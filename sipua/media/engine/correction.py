"""A delay that is not right is corrected where that is heard least."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sipua.media.engine.pitch import samples_of
from sipua.media.engine.stretch import SILENT, compress, expand
from sipua.media.pcm import FRAME_DURATION, SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Correction"]

# Seconds: the most that is added at once.
_STEP = 0.015
# Corrections follow each other no faster than this; a delay that is far off is corrected faster.
_PACE, _FAST_PACE, _FAR = 0.08, 0.04, 0.04
# A delay that is too long for so many seconds is made shorter wherever that is; before, in quiet places only.
_LASTING = 3.0
# A stream that has just begun is put right at once.
_BEGINNING = 0.5
# In speech a quiet place is looked for this often.
_LOOK = 0.06
# It has lasted although it was right for so long in between.
_LULL = 2.0
# Quiet is what is softer by 20 dB than the loudest of the last seconds; that is forgotten by so much in a second.
_QUIET, _FADING = 0.1, 0.6


class Correction:
    """Adds to what is about to be played and leaves out of it; counts both in samples.

    To add is urgent: packets come too late. A delay that is too long hurts nobody at first, but what is left out of
    speech can be heard by a keen ear, and seen by a machine that compares.
    """

    def __init__(self) -> None:
        self.stretched = self.compressed = 0
        self.reset()

    def reset(self) -> None:
        """Nothing is known of the sound."""
        self.next = 0.0
        """When the delay may be changed again."""
        # When the delay was found to be too long for the first time, and for the last.
        self._since = self._last = float("-inf")
        self._begun = float("-inf")
        self._loud = 0.0

    def begin(self, now: float) -> None:
        """A stream begins: how long its packets take is known from the next ones only."""
        self._begun = now

    def lengthen(self, tail: bytes, rate: int, short: float, now: float) -> bytes:
        """The delay is too short by so many seconds: `tail` with some of its samples twice, if any can be."""
        return self._change(expand, tail, rate, _STEP, now, urgent=short > _FAR)

    def may_shorten(self, frame: bytes, recent: Iterable[bytes], excess: float, now: float) -> bool:
        """The delay is too long by so many seconds: whether something is left out here, of `frame` to begin with.

        `recent` is what was played before. To be asked from `next` on while the delay is too long.
        """
        last, self._last = self._last, now
        if now - last > _LULL:
            self._since = now
            self._loud = max(self._loud, _level(b"".join(recent)))
        # One pull that comes late itself is no reason.
        if now - last >= _LOOK + 2 * FRAME_DURATION:
            return False
        if excess > _FAR:
            # Not only until it is a little.
            self._since = -math.inf
        if now - self._since > _LASTING or self._beginning(now):
            return True
        level = _level(frame)
        self._loud = max(level, self._loud * _FADING ** (now - last))
        if level < max(SILENT, _QUIET * self._loud):
            return True
        self.next = now + _LOOK
        return False

    def shorten(self, tail: bytes, rate: int, excess: float, now: float) -> bytes:
        """`tail` without some of its samples, if any can be left out; 20 ms and more stay."""
        room = len(tail) / (SAMPLE_BYTES * rate) - FRAME_DURATION
        # In the beginning once and for all, wherever it is.
        soft = math.inf if self._beginning(now) else max(SILENT, _QUIET * self._loud)
        return self._change(compress, tail, rate, min(excess, room), now, urgent=excess > _FAR, soft=soft)

    def _beginning(self, now: float) -> bool:
        return now - self._begun < _BEGINNING

    def _change(
        self,
        how: Callable[..., bytes],
        tail: bytes,
        rate: int,
        most: float,
        now: float,
        *,
        urgent: bool,
        soft: float = SILENT,
    ) -> bytes:
        changed = how(tail, rate, int(most * rate), anyhow=urgent, soft=soft)
        samples = (len(changed) - len(tail)) // SAMPLE_BYTES
        self.next = now + (_FAST_PACE if urgent or samples > 0 else _PACE)
        if samples > 0:
            self.stretched += samples
        else:
            self.compressed -= samples
        return changed


def _level(pcm: bytes) -> float:
    samples = samples_of(pcm)
    return float(np.sqrt(samples @ samples / len(samples))) if len(samples) else 0.0
