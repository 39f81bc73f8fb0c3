"""Calls without a network: what a peer says and hears, on the clock of all calls."""

from __future__ import annotations

import asyncio

import numpy as np

from sipua.emitter import Emitter
from sipua.errors import InvalidStateError, MediaError
from sipua.media.analysis import detect_tones, level
from sipua.media.engine.clock import AudioClock, Phase
from sipua.media.interface import AudioPort, AudioSource, PcmStream
from sipua.media.pcm import samples_per_frame
from sipua.media.port import CallAudio
from sipua.media.sources import Silence, Tone


class Line(Emitter):
    """A call; `says` is what its peer says. It says and hears at a rate each."""

    event_names = frozenset({"ended", "failed"})

    def __init__(self, says: AudioSource | None = None, rate: int = 8000, heard_rate: int = 0) -> None:
        super().__init__()
        self.errors: list[MediaError] = []
        self.port = CallAudio(self.errors.append, asyncio.get_running_loop().time)
        self.port.outlet.set_rate(heard_rate or rate)
        self.rate = rate
        self.heard = bytearray()
        self.answered = True
        self.held_by_peer = self.over = False
        self.stream: PcmStream = (says or Silence()).open(rate)
        clock = AudioClock.running()
        clock.add(Phase.RECEIVE, self._receive)
        clock.add(Phase.SEND, self._send)

    @property
    def audio(self) -> AudioPort:
        if not self.answered:
            raise InvalidStateError("audio", "waiting")
        return self.port

    def is_ended(self) -> bool:
        return self.over

    def is_on_hold(self) -> dict[str, bool]:
        return {"local": False, "remote": self.held_by_peer}

    def say(self, source: AudioSource, rate: int = 0) -> None:
        self.rate = rate or self.rate
        self.stream = source.open(self.rate)

    def hang_up(self, event: str = "ended") -> None:
        clock = AudioClock.running()
        clock.remove(Phase.RECEIVE, self._receive)
        clock.remove(Phase.SEND, self._send)
        self.over = True
        self.emit(event, None)
        self.port.close()

    def _receive(self, now: float, missed: int) -> None:
        size = samples_per_frame(self.rate)
        pcm = self.stream.read(size).ljust(2 * size, b"\0")
        if self.port.listening:
            self.port.heard(pcm, self.rate)

    def _send(self, now: float, missed: int) -> None:
        pcm = self.port.outlet.pull()
        assert len(pcm) == 2 * samples_per_frame(self.port.outlet.rate)
        self.heard += pcm

    def hears(self, *candidates: float, seconds: float = 0.4) -> set[float]:
        """Which of these frequencies it has heard of late."""
        rate = self.port.outlet.rate
        pcm = bytes(self.heard[-2 * int(seconds * rate) :])
        return set(detect_tones(pcm, candidates, rate=rate, share=0.05)) if level(pcm) > -60 else set()

    def level(self, seconds: float = 0.4) -> float:
        return level(bytes(self.heard[-2 * int(seconds * self.port.outlet.rate) :]))

    def steepest(self, seconds: float) -> int:
        """The greatest step from one sample to the next of late."""
        samples = np.frombuffer(self.heard[-2 * int(seconds * self.port.outlet.rate) :], "<i2").astype(int)
        return int(np.abs(np.diff(samples)).max())


def tone(frequency: float, level: float = -16.0) -> Tone:
    return Tone(frequency, level=level)
