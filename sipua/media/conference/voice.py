"""One that is heard in a mix and hears it: what goes in and comes out in a tick."""

from __future__ import annotations

import numpy as np

from sipua.media.conference.resampling import ECHO_MEMORY, Samples

__all__ = ["QUIET", "Voice"]

#: The power, of 1 at full scale, below which nothing is mixed: -60 dBov. The noise of many lines would add up.
QUIET = 1e-6
# Ticks that it must have lasted before a voice counts as silent: 0.3 s, longer than the pauses in a word.
_HANGOVER = 15


class Voice:
    """Set `rate`, `pcm`, `volume`, `deaf` and `aside`; the mixer sets the rest.

    PCM is 20 ms at `rate`.
    """

    __slots__ = (
        "_quiet_for",
        "aside",
        "deaf",
        "gain",
        "gated",
        "history",
        "mixed",
        "pcm",
        "power",
        "rate",
        "talking",
        "volume",
    )

    def __init__(self, rate: int = 0, *, gated: bool = True) -> None:
        self.rate = rate
        """0: not known yet; such a voice takes no part."""
        self.gated = gated
        """Whether it is left out while it is silent, or next to it."""
        self.pcm: bytes | None = None
        """What it says; None: nothing."""
        self.volume = 1.0
        """What its samples are multiplied by; 0: it cannot be heard."""
        self.deaf = False
        """Whether it hears nothing of the others."""
        self.aside: bytes | None = None
        """What it hears in addition, alone."""
        self.mixed = b""
        """What it hears."""
        self.power = 0.0
        """Of what the others hear of it now: its mean square; 1 is full scale."""
        self.talking = False
        """Whether it is mixed, as it is not silent."""
        self.gain = 0.0
        """What the last sample of before was multiplied by."""
        self.history: Samples = _SILENT
        """The last samples that went in, of a voice whose mix comes from a higher rate."""
        self._quiet_for = _HANGOVER

    @property
    def ringing(self) -> bool:
        """Whether something that it said is still on its way through the filters."""
        return self.history is not _SILENT

    def judge(self, power: float) -> float:
        """The next 20 ms have this power: by what they shall be multiplied at their end."""
        if not self.gated or power > QUIET:
            self._quiet_for = 0
        else:
            self._quiet_for += 1
        self.talking = self._quiet_for < _HANGOVER and self.volume > 0
        self.gain = self.volume if self.talking else 0.0
        self.power = power * self.gain * self.gain
        return self.gain

    def rest(self) -> None:
        """The next 20 ms are silence."""
        self._quiet_for += 1
        self.talking = self._quiet_for < _HANGOVER and self.volume > 0
        self.gain = self.power = 0.0

    def remember(self, samples: Samples) -> None:
        """These went in."""
        self.history = samples[-ECHO_MEMORY:].copy()

    def forget(self) -> None:
        """The filters begin anew."""
        self.history = _SILENT


_SILENT: Samples = np.zeros(ECHO_MEMORY, np.float32)
