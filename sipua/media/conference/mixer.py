"""The mix: each voice hears the sum of all others.

Everything is summed once, at the highest rate of any voice. For the voices of a lower rate the sum is resampled
once, and what a voice has said, as it has become on the way up and down, is taken from that. Who says nothing
hears the sum as it is, and costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sipua.media.conference.limiter import Limiter, glide
from sipua.media.conference.resampling import Down, Samples, Up, echo_filter, pcm_of
from sipua.media.pcm import samples_per_frame, silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sipua.media.conference.voice import Voice

__all__ = ["RATES", "Mixer"]

#: The rates of voices, in Hz: each divides those above it.
RATES = (8000, 16000, 48000)
_SCALE = 1 / 32768**2


class Mixer:
    """Call `mix` every 20 ms."""

    def __init__(self) -> None:
        self.rate = 0
        """Of the sum, in Hz; 0 before anybody has a rate."""
        self.everything = b""
        """What all voices together were in the last tick, at `rate`."""
        self._limiter = Limiter()
        self._up: dict[int, Up] = {}
        self._down: dict[int, Down] = {}

    def prepare(self, voices: Iterable[Voice]) -> None:
        """Choose the rate for these voices; their pcm need not be known yet."""
        rate = max((voice.rate for voice in voices), default=0)
        if rate and rate != self.rate:
            self.rate = rate
            self._up.clear()
            self._down.clear()
            for voice in voices:
                voice.forget()

    def mix(self, voices: Sequence[Voice]) -> None:
        """Take `pcm` of all voices and give them `mixed`."""
        groups = self._groups(voices)
        if not self._sounding() and not any(group.active or group.asides for group in groups):
            self._limiter.look(0.0)
            self.everything = silence(samples_per_frame(self.rate))
            return
        total = np.zeros(samples_per_frame(self.rate), np.float32)
        for group in groups:
            total += self._raised(group)
        for group in groups:
            group.spread(self._lowered(group.rate, total), self.rate // group.rate)
        self._limiter.look(max([_peak(total), *(_peak(group.mixes) for group in groups)]))
        for group in groups:
            self._limiter(group.mixes)
            group.hand_out()
        self._limiter(total)
        self.everything = pcm_of(total).tobytes()

    def _groups(self, voices: Sequence[Voice]) -> list[_Group]:
        by_rate: dict[int, list[Voice]] = {}
        for voice in voices:
            if voice.rate:
                by_rate.setdefault(voice.rate, []).append(voice)
        return [_Group(rate, members) for rate, members in by_rate.items()]

    def _sounding(self) -> bool:
        """Whether something of before is still on its way through the filters."""
        return any(f.ringing for f in self._up.values()) or any(f.ringing for f in self._down.values())

    def _raised(self, group: _Group) -> Samples:
        """What a group says, at the rate of the sum."""
        if group.rate == self.rate:
            return group.sum
        up = self._up.get(group.rate)
        if up is None:
            up = self._up[group.rate] = Up(self.rate // group.rate)
        return up(group.sum)

    def _lowered(self, rate: int, total: Samples) -> Samples:
        """The sum, at a lower rate."""
        if rate == self.rate:
            return total
        down = self._down.get(rate)
        if down is None:
            down = self._down[rate] = Down(self.rate // rate)
        return down(total)


class _Group:
    """The voices of one rate, in one tick: who of them is heard, and what all hear."""

    def __init__(self, rate: int, members: list[Voice]) -> None:
        self.rate = rate
        self.size = samples_per_frame(rate)
        self.members = members
        self.active: list[Voice] = []
        """Those in the sum, or on their way through the filters."""
        self.rows: Samples = np.zeros((0, self.size), np.float32)
        """What the active ones say."""
        self.asides = [voice for voice in members if voice.aside is not None]
        self.mixes: Samples = self.rows
        """What all hear who say nothing; what each active one hears; what those hear that are told something."""
        self._ending: list[Voice] = []
        still = silence(self.size)
        said: list[Voice] = []
        for voice in members:
            voice.mixed = still
            if voice.pcm is not None and (voice.volume or voice.gain):
                said.append(voice)
            else:
                self._rest(voice)
        if said:
            self._take(said)
        if self._ending:
            self.rows = np.concatenate([self.rows, np.zeros((len(self._ending), self.size), np.float32)])
            self.active += self._ending

    @property
    def sum(self) -> Samples:
        """Of all that is said in this group."""
        return np.asarray(self.rows.sum(axis=0, dtype=np.float32))

    def _rest(self, voice: Voice) -> None:
        voice.rest()
        if voice.ringing:
            self._ending.append(voice)

    def _take(self, said: list[Voice]) -> None:
        """Find out who of them is heard, and how loud."""
        pcm = np.frombuffer(b"".join([voice.pcm or b"" for voice in said]), "<i2")
        rows = pcm.reshape(len(said), self.size).astype(np.float32)
        powers = (np.einsum("ij,ij->i", rows, rows) * (_SCALE / self.size)).tolist()
        before: list[float] = []
        after: list[float] = []
        places: list[int] = []
        for place, (voice, power) in enumerate(zip(said, powers, strict=True)):
            old, new = voice.gain, voice.judge(power)
            if old or new:
                places.append(place)
                before.append(old)
                after.append(new)
                self.active.append(voice)
            elif voice.ringing:
                self._ending.append(voice)
        self.rows = rows if len(places) == len(said) else rows[places]
        _amplify(self.rows, before, after)

    def spread(self, base: Samples, factor: int) -> None:
        """From the sum at this rate: what everybody hears. `factor`: by how much the rate of the sum is higher."""
        rows = 1 + len(self.active) + len(self.asides)
        mixes = self.mixes = np.empty((rows, self.size), np.float32)
        mixes[0] = base
        active = len(self.active)
        if active:
            own = self.rows if factor == 1 else self._echoes(factor)
            np.subtract(base, own, out=mixes[1 : active + 1])
        places = {id(voice): index for index, voice in enumerate(self.active, 1)}
        for index, voice in enumerate(self.asides, active + 1):
            assert voice.aside is not None
            mixes[index] = np.frombuffer(voice.aside, "<i2")
            if not voice.deaf:
                mixes[index] += mixes[places.get(id(voice), 0)]

    def _echoes(self, factor: int) -> Samples:
        """What the voices have become in the sum at this rate."""
        taps = echo_filter(factor)
        own = np.empty_like(self.rows)
        for place, (voice, row) in enumerate(zip(self.active, self.rows, strict=True)):
            own[place] = np.convolve(np.concatenate([voice.history, row]), taps, "valid")
            voice.remember(row)
        for voice in self._ending:
            voice.forget()
        return own

    def hand_out(self) -> None:
        """Give everybody its mix."""
        pcm = pcm_of(self.mixes)
        common = pcm[0].tobytes()
        for voice in self.members:
            if not voice.deaf:
                voice.mixed = common
        for row, voice in zip(pcm[1:], self.active, strict=False):
            if not voice.deaf:
                voice.mixed = row.tobytes()
        for row, voice in zip(pcm[1 + len(self.active) :], self.asides, strict=True):
            voice.mixed = row.tobytes()


def _amplify(rows: Samples, before: list[float], after: list[float]) -> None:
    if all(gain == 1.0 for gain in before) and all(gain == 1.0 for gain in after):
        return
    old = np.array(before, np.float32)[:, None]
    new = np.array(after, np.float32)[:, None]
    rows *= old + (new - old) * glide(rows.shape[1])


def _peak(samples: Samples) -> float:
    return float(max(samples.max(), -samples.min())) if samples.size else 0.0
