"""Who is speaking: the one whose voice is the loudest for a while, and not everybody who coughs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SpeakerWatch"]

T = TypeVar("T")

# What is added of each tick's power: an average over 0.2 s.
_SHARE = 0.1
# -50 dBov: less is nobody speaking.
_AUDIBLE = 1e-5
# Another one takes over who is so much louder (6 dB in power) for so many ticks (0.3 s).
_LOUDER = 4.0
_PATIENCE = 15
# Ticks of silence after which nobody is speaking: 2 s.
_OVER = 100


class SpeakerWatch(Generic[T]):
    """Call `tick` every 20 ms."""

    def __init__(self) -> None:
        self.speaker: T | None = None
        self._loudness: dict[T, float] = {}
        self._challenger: T | None = None
        self._since = 0
        self._quiet = 0

    def tick(self, powers: Iterable[tuple[T, float]]) -> bool:
        """How loud everybody is now. True: `speaker` has changed."""
        loudness = {}
        for who, power in powers:
            before = self._loudness.get(who, 0.0)
            loudness[who] = before + _SHARE * (power - before)
        self._loudness = loudness
        before_this = self.speaker
        self._judge()
        return self.speaker is not before_this

    def forget(self, who: T) -> bool:
        """It is not here any more. True: it was the speaker."""
        self._loudness.pop(who, None)
        if self.speaker is not who:
            return False
        self.speaker = None
        return True

    def _judge(self) -> None:
        loudness = self._loudness
        if self.speaker not in loudness:
            self.speaker = None
        loudest = max(loudness, key=loudness.__getitem__, default=None)
        if loudest is None or loudness[loudest] < _AUDIBLE:
            self._challenger = None
            self._quiet += 1
            if self._quiet >= _OVER:
                self.speaker = None
            return
        self._quiet = 0
        speaker = self.speaker
        if speaker is None:
            self.speaker = loudest
        elif loudest is not speaker and loudness[loudest] > _LOUDER * loudness[speaker]:
            self._since = self._since + 1 if loudest is self._challenger else 1
            self._challenger = loudest
            if self._since >= _PATIENCE:
                self.speaker, self._challenger = loudest, None
        else:
            self._challenger = None
