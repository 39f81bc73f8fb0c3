"""Understands named events (:rfc:`4733#section-2.5.2`), whichever packets of them arrive.

A tone is told once, when its end is known: by an end packet, by the packets of another tone, or because no more
came. Any one packet of it is enough. Its timestamp is its identity, so repetitions and stragglers are known as
such, and equal digits in a row are told apart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sipua.media.dtmf.named import MAX_DURATION, DtmfEvent, Report, unpack
from sipua.media.interface import DTMF_TONES

__all__ = ["EventReceiver"]

#: Seconds without a packet after which a tone is over.
TIMEOUT = 0.2

_WRAP = 1 << 32
# Packets of tones that are over are known by the last few.
_REMEMBERED = 16
# A packet that is behind the present tone by less than this (s) was overtaken; by more, the clock is another.
_OVERTAKEN = 5.0
# A sender splits a long tone at 0xFFFF, or at the last slot that fits: 60 ms at 48 kHz.
_SEGMENT = MAX_DURATION - 2880


@dataclass(slots=True)
class _Tone:
    event: int
    timestamp: int
    """Of the last segment, which is the identity of its packets."""
    before: int
    """Length of the segments before."""
    duration: int
    volume: int
    clock_rate: int
    heard: float
    ended: bool = False


class EventReceiver:
    """The tones of one incoming RTP stream. `clock_rate` is that of the telephone-event payload type, in Hz."""

    def __init__(self, clock_rate: int = 8000) -> None:
        self.clock_rate = clock_rate
        self.malformed = 0
        """Packets that no telephone-event payload looks like."""
        self.ignored = 0
        """Reports of events that are no DTMF tones, or of no duration."""
        self._tone: _Tone | None = None
        self._over: deque[_Tone] = deque(maxlen=_REMEMBERED)

    def packet(
        self,
        payload: bytes,
        timestamp: int,
        marker: bool,
        sequence: int,
        now: float,
        clock_rate: int | None = None,
    ) -> list[DtmfEvent]:
        """Take a telephone-event packet; returns the tones that are over by it. Never raises.

        `now` is in seconds. `clock_rate` overrides that of the receiver when the peer uses another payload type.
        """
        try:
            reports = unpack(payload)
        except ValueError:
            self.malformed += 1
            return []
        events: list[DtmfEvent] = []
        for index, report in enumerate(reports):
            if report.event < len(DTMF_TONES) and report.duration:
                self._take(
                    report, timestamp, marker and not index, now, clock_rate or self.clock_rate, events
                )
            else:
                self.ignored += 1
            timestamp = (timestamp + report.duration) % _WRAP
        return events

    def tick(self, now: float) -> list[DtmfEvent]:
        """The tone whose end never came, once it is sure that it will not."""
        if self._tone is None or now - self._tone.heard < TIMEOUT:
            return []
        return [self._finish(self._tone)]

    def reset(self) -> None:
        """Another stream: timestamps begin anew. A tone whose end is not known is dropped."""
        self._tone = None
        self._over.clear()

    def _take(
        self, report: Report, timestamp: int, marker: bool, now: float, rate: int, events: list[DtmfEvent]
    ) -> None:
        if any(_same(tone, report, timestamp) for tone in self._over):
            return
        tone = self._tone
        if tone is None or not (
            _same(tone, report, timestamp) or _continues(tone, report, timestamp, marker)
        ):
            last = self._over[-1] if self._over else None
            if tone is None and last is not None and _continues(last, report, timestamp, marker):
                # So many packets were lost that the tone was taken to be over. It has been told.
                last.timestamp, last.ended = timestamp, report.end
                return
            new = _Tone(report.event, timestamp, 0, report.duration, report.volume, rate, now, report.end)
            if tone is not None and 0 < (tone.timestamp - timestamp) % _WRAP < _OVERTAKEN * rate:
                # All its other packets were lost or are late, and the present tone has begun since.
                events.append(self._told(new))
                return
            if tone is not None:
                events.append(self._finish(tone))
            self._tone = tone = new
        elif tone.timestamp != timestamp:
            tone.before += (timestamp - tone.timestamp) % _WRAP
            tone.timestamp, tone.duration = timestamp, report.duration
        tone.duration = max(tone.duration, report.duration)
        tone.heard = now
        tone.ended = tone.ended or report.end
        if tone.ended:
            events.append(self._finish(tone))

    def _finish(self, tone: _Tone) -> DtmfEvent:
        self._tone = None
        return self._told(tone)

    def _told(self, tone: _Tone) -> DtmfEvent:
        self._over.append(tone)
        return DtmfEvent(DTMF_TONES[tone.event], (tone.before + tone.duration) / tone.clock_rate, tone.volume)


def _same(tone: _Tone, report: Report, timestamp: int) -> bool:
    return tone.timestamp == timestamp and tone.event == report.event


def _continues(tone: _Tone, report: Report, timestamp: int, marker: bool) -> bool:
    """Whether this is the next segment of a tone too long for one (:rfc:`4733#section-2.5.1.3`)."""
    if marker or tone.ended or tone.event != report.event:
        return False
    return _SEGMENT <= (timestamp - tone.timestamp) % _WRAP <= MAX_DURATION
