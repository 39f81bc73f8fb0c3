"""Listening to what a peer says: which of the sounds that a script waits for was heard, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from sipua.media.levels import VoiceDetector
    from sipua.media.pcm import Resampler

__all__ = ["AnySound", "Ears", "Heard", "Quiet", "Sound", "Speech", "Tones"]

_RATE = 8000
#: Seconds that are judged at once, and from one judgement to the next.
_WINDOW, _HOP = 0.04, 0.02
#: dBov: what is below is silence.
_SILENT = -50.0
# Of the power, the share that the tones must have together, and the part of it that each must have.
_SHARE, _EACH = 0.6, 0.4
# A tone of a telephone network may be off by so much.
_DETUNED = (0.99, 1.0, 1.01)


class Sound(ABC):
    """A kind of sound. Two that are equal are the same."""

    @abstractmethod
    def ear(self) -> Callable[[Heard], bool]:
        """A function that judges one window after the other of one stream."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One window: `samples` at 8 kHz from -1 to 1, its `level` in dBov, and whether somebody speaks."""

    samples: NDArray[np.float64]
    level: float
    voice: bool


@dataclass(frozen=True)
class Tones(Sound):
    """These frequencies (Hz) at once, and not much else."""

    frequencies: tuple[float, ...]

    def ear(self) -> Callable[[Heard], bool]:
        """By the discrete Fourier transform at these frequencies, and 1 % beside them."""
        import numpy as np

        size = round(_RATE * _WINDOW)
        angles = np.outer([f * d for f in self.frequencies for d in _DETUNED], np.arange(size))
        waves = np.exp(-2j * np.pi / _RATE * angles)
        least = _EACH / len(self.frequencies)

        def judge(heard: Heard) -> bool:
            if heard.level < _SILENT:
                return False
            total = float(heard.samples @ heard.samples) / size
            powers = (2 * np.abs(waves @ heard.samples / size) ** 2).reshape(-1, len(_DETUNED)).max(axis=1)
            return bool(powers.sum() >= _SHARE * total and powers.min() >= least * powers.sum())

        return judge


@dataclass(frozen=True)
class Speech(Sound):
    """Somebody speaks (`sipua.VoiceDetector`)."""

    def ear(self) -> Callable[[Heard], bool]:
        """As the detector says."""
        return lambda heard: heard.voice


@dataclass(frozen=True)
class AnySound(Sound):
    """Anything that is not silence."""

    def ear(self) -> Callable[[Heard], bool]:
        """By its level."""
        return lambda heard: heard.level >= _SILENT


@dataclass(frozen=True)
class Quiet(Sound):
    """Nothing that is louder than -50 dBov."""

    def ear(self) -> Callable[[Heard], bool]:
        """By its level."""
        return lambda heard: heard.level < _SILENT


@dataclass(slots=True)
class _Spell:
    """A time in which a sound was heard without a break, in seconds of the stream."""

    start: float
    end: float
    taken: bool = False


@dataclass(slots=True)
class _Watch:
    judge: Callable[[Heard], bool]
    spells: list[_Spell] = field(default_factory=list)
    on: bool = False

    def note(self, start: float, end: float, heard: bool) -> None:
        if heard and self.on:
            self.spells[-1].end = end
        elif heard:
            self.spells.append(_Spell(start, end))
        self.on = heard


class Ears(AudioSink):
    """Takes what the peer says; `changed` is called whenever there is more to know."""

    def __init__(self, sounds: Iterable[Sound], changed: Callable[[], object]) -> None:
        self.position = 0.0
        """Seconds that were heard since the beginning."""
        self._changed = changed
        self._watches = {sound: _Watch(sound.ear()) for sound in sounds}
        self._voice: VoiceDetector | None = None
        self._resampler: Resampler | None = None
        self._waiting = bytearray()
        self._done = 0  # samples before those that wait

    def open(self) -> None:
        """Load what the analysis needs."""
        from sipua.media.levels import VoiceDetector

        if any(isinstance(sound, Speech) for sound in self._watches):
            self._voice = VoiceDetector()

    def write(self, pcm: bytes, rate: int) -> None:
        """Listen to the next 20 ms."""
        from sipua.media.pcm import Resampler

        if self._voice is not None:
            self._voice.feed(pcm, rate)
        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, _RATE)
        self._waiting += self._resampler(pcm)
        size, hop = round(_RATE * _WINDOW), round(_RATE * _HOP)
        while len(self._waiting) >= 2 * size:
            self._judge(bytes(self._waiting[: 2 * size]))
            del self._waiting[: 2 * hop]
            self._done += hop
        self._changed()

    def _judge(self, pcm: bytes) -> None:
        import numpy as np

        samples = np.frombuffer(pcm, "<i2").astype(np.float64) / 32768
        power = float(samples @ samples) / len(samples)
        level = 10 * float(np.log10(power)) if power > 0 else -127.0
        heard = Heard(samples, level, self._voice is not None and self._voice.speaking)
        start = self._done / _RATE
        self.position = start + _WINDOW
        for watch in self._watches.values():
            watch.note(start, self.position, watch.judge(heard))

    def find(self, sound: Sound, *, since: float, length: float, take: bool = True) -> float | None:
        """When the sound had been heard for `length` seconds, after `since`; None: it was not, so far.

        :param take: the same stretch of it is not found again.
        """
        for spell in self._watches[sound].spells:
            start = max(spell.start, since)
            if not spell.taken and spell.end - start >= length - 1e-6:
                spell.taken = take
                return start + length
        return None

    def forget(self, before: float) -> None:
        """What was over by then is not asked for any more."""
        for watch in self._watches.values():
            spells = watch.spells
            while len(spells) > 1 and spells[0].end <= before:
                spells.pop(0)
