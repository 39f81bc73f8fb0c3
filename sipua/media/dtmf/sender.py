"""Sends tones as named events, in the packet slots of a call's audio (:rfc:`4733#section-2.5.1`).

An event is reported in every slot while it lasts, with one timestamp and a growing duration, and its end three
times: any one packet of at least four is enough to know the tone. The two repetitions of the end go into the gap
that follows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.media.dtmf.named import MAX_DURATION, EventPacket, Report, pack
from sipua.media.interface import DTMF_PAUSE, DTMF_TONES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT_VOLUME", "EventSender"]

#: dBm0 without the sign.
DEFAULT_VOLUME = 10

_TIMES = 3
_WRAP = 1 << 32
# RTP time that goes on by more than this between two slots has been set anew (seconds).
_JUMP = 10


@dataclass(slots=True)
class _Step:
    """One tone or pause that waits; times in ms."""

    tone: str
    duration: int
    gap: int
    volume: int
    done: Callable[[bool], None] | None


@dataclass(slots=True)
class _Sending:
    """The event that is being sent."""

    step: _Step
    start: int
    """RTP timestamp of the present segment."""
    left: int
    """From there to the end of the tone, in units of the event rate."""
    fresh: bool = True
    final: EventPacket | None = None
    """The last packet of the tone or segment: it is repeated."""
    repeats: int = 0
    over: bool = False


class EventSender:
    """The tones of one RTP stream: a queue that fills packet slots.

    `clock_rate` is that of the stream's codec, in Hz; `event_rate` that of the telephone-event payload type, in which
    durations are told: the same, but for peers that know it at 8000 Hz only.
    """

    def __init__(self, clock_rate: int = 8000, event_rate: int | None = None) -> None:
        self._clock_rate = clock_rate
        self._event_rate = event_rate or clock_rate
        self._steps: deque[_Step] = deque()
        self._sending: _Sending | None = None
        # After a tone or pause: from when (RTP time), and how long nothing may be sent.
        self._rest_from = 0
        self._rest = 0

    @property
    def clock_rate(self) -> int:
        """Hz of the RTP clock. A tone that was begun is not gone on with at another rate."""
        return self._clock_rate

    @clock_rate.setter
    def clock_rate(self, rate: int) -> None:
        self.set_rates(rate, rate)

    def set_rates(self, clock_rate: int, event_rate: int) -> None:
        """Both rates, when the codec has changed."""
        if (clock_rate, event_rate) != (self._clock_rate, self._event_rate):
            self._clock_rate, self._event_rate = clock_rate, event_rate
            self.interrupt()

    @property
    def active(self) -> bool:
        """Whether there is something to send, or a gap to keep."""
        return self._sending is not None or bool(self._steps) or self._rest > 0

    def queue(
        self,
        tones: str,
        duration: int = 100,
        gap: int = 70,
        volume: int = DEFAULT_VOLUME,
        done: Callable[[bool], None] | None = None,
    ) -> None:
        """Send `tones` (of `DTMF_TONES`, and ``,`` for a pause of 2 s) after those that wait.

        `duration` of each and the least `gap` after it are in ms, `volume` is in dBm0 without the sign (0 to 63).
        `done` is called with True when the last end packet has gone, with False when `clear` came first.
        Raises ValueError for what cannot be sent.
        """
        if not tones or any(tone not in DTMF_TONES + "," for tone in tones):
            raise ValueError(f"tones={tones!r}: only 0-9, *, #, A-D and , (a pause)")
        if duration < 1 or gap < 0 or not 0 <= volume <= 63:
            raise ValueError(f"duration={duration}, gap={gap}, volume={volume}")
        last = len(tones) - 1
        for index, tone in enumerate(tones):
            self._steps.append(_Step(tone, duration, gap, volume, done if index == last else None))

    def next(self, timestamp: int, samples: int) -> EventPacket | None:
        """What to send instead of the audio packet of this slot; None: send the audio.

        `timestamp` and `samples` are those of the audio packet, in units of the RTP clock.
        """
        if self._sending is None and not ((self._steps or self._rest) and self._begin(timestamp)):
            return None
        sending = self._sending
        assert sending is not None
        if sending.final is not None and not sending.repeats:
            # A segment has been told in full: the next one begins where it ended.
            sending.start = (sending.start + self._ticks(MAX_DURATION)) % _WRAP
            sending.left -= MAX_DURATION
            sending.final = None
        packet = sending.final or self._report(sending, timestamp, samples)
        sending.fresh = False
        if sending.final is not None:
            sending.repeats -= 1
            if sending.over and not sending.repeats:
                self._end(sending)
        return packet

    def interrupt(self) -> None:
        """The stream is another one from now on (SSRC, clock): a tone that was begun is not gone on with."""
        sending, self._sending = self._sending, None
        self._rest = 0
        if sending is not None and sending.step.done is not None:
            sending.step.done(True)

    def clear(self) -> None:
        """Forget what waits, and end what is being sent without further ado."""
        steps, self._steps = self._steps, deque()
        if self._sending is not None:
            steps.appendleft(self._sending.step)
        self._sending, self._rest = None, 0
        for step in steps:
            if step.done is not None:
                step.done(False)

    def _begin(self, timestamp: int) -> bool:
        """Take the next tone, when it is due."""
        if self._rest:
            rested = _signed(timestamp - self._rest_from)
            if -_JUMP * self._clock_rate < rested < self._rest:
                return False
            self._rest = 0
        if not self._steps:
            return False
        step = self._steps.popleft()
        if step.tone != ",":
            self._sending = _Sending(step, timestamp, step.duration * self._event_rate // 1000)
            return True
        self._rest_from, self._rest = timestamp, DTMF_PAUSE * self._clock_rate // 1000
        if step.done is not None:
            step.done(True)
        return False

    def _report(self, sending: _Sending, timestamp: int, samples: int) -> EventPacket:
        elapsed = (timestamp + samples - sending.start) % _WRAP * self._event_rate // self._clock_rate
        if elapsed > sending.left + _JUMP * self._event_rate:
            elapsed = sending.left
        duration = min(elapsed, sending.left, MAX_DURATION)
        sending.over = duration == sending.left
        report = Report(DTMF_TONES.index(sending.step.tone), sending.over, sending.step.volume, duration)
        packet = EventPacket(pack(report), sending.start, sending.fresh)
        if sending.over or duration == MAX_DURATION:
            # What is repeated never begins a tone.
            sending.final, sending.repeats = EventPacket(packet.payload, packet.timestamp, False), _TIMES
        return packet

    def _end(self, sending: _Sending) -> None:
        self._sending = None
        self._rest_from = (sending.start + self._ticks(sending.left)) % _WRAP
        self._rest = sending.step.gap * self._clock_rate // 1000
        if sending.step.done is not None:
            sending.step.done(True)

    def _ticks(self, duration: int) -> int:
        """A duration as it is told, in units of the RTP clock."""
        return duration * self._clock_rate // self._event_rate


def _signed(difference: int) -> int:
    """A difference of two RTP timestamps, either way round."""
    return (difference + _WRAP // 2) % _WRAP - _WRAP // 2
