"""One incoming audio stream: RTP in, PCM out, 20 ms at a time.

Packets are taken where they arrive, in the callback of the socket, and heard when the clock asks. Nothing that a
peer sends raises from here: what cannot be used is counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sipua.media.dtmf import EventReceiver
from sipua.media.engine.clock import TICK
from sipua.media.engine.rtp import parse_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sipua.media.codecs.base import CodecSpec
    from sipua.media.dtmf import DtmfEvent
    from sipua.media.engine.counters import Received
    from sipua.media.engine.playout import Playout
    from sipua.media.engine.sources import Source, Sources

__all__ = ["AudioReceiver"]

_EVENT = "telephone-event"
# Seconds after the last packet of a tone within which its end is found to be lost.
_TONE_MEMORY = 1.0


class AudioReceiver:
    """Gives what is heard to `playout`, and the tones of named events to `on_tone`, each when it is over.

    `enabled` is whether anything may be heard by what was agreed (hold), `listening` whether anybody listens:
    packets are counted in any case, and decoded only when both are True.
    """

    def __init__(self, playout: Playout, sources: Sources, counters: Received) -> None:
        self.playout = playout
        self.events = EventReceiver()
        self.on_tone: Callable[[DtmfEvent], None] | None = None
        self._enabled = False
        self._listening = False
        self._sources = sources
        self._counters = counters
        self._codecs: dict[int, CodecSpec] = {}
        self._event_rates: dict[int, int] = {}
        self._audio_rates: dict[int, int] = {}
        self._source: Source | None = None
        self._tone_heard: float | None = None

    @property
    def enabled(self) -> bool:
        """Whether anything may be heard by what was agreed."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        if enabled and not self._enabled:
            self._sources.resume()
        self._enabled = enabled

    @property
    def listening(self) -> bool:
        """Whether anybody listens to the sound."""
        return self._listening

    @listening.setter
    def listening(self, listening: bool) -> None:
        if listening and not self._listening:
            # What was buffered when the last listener went is old by now.
            self.playout.reset()
        self._listening = listening

    def set_codecs(self, codecs: Mapping[int, CodecSpec]) -> None:
        """What payload types mean. Those from before may be on the way still: they stay, unless replaced."""
        self._codecs.update(codecs)
        self._event_rates = {n: c.clock_rate for n, c in self._codecs.items() if c.name == _EVENT}
        self._audio_rates = {n: c.clock_rate for n, c in self._codecs.items() if c.name != _EVENT}

    @property
    def payload_types(self) -> frozenset[int]:
        """Those that mean something."""
        return frozenset(self._codecs)

    def packet(self, packet: bytes, now: float, due: float = math.inf) -> None:
        """An RTP packet that was authentic.

        `due` is when the clock was to tick next. A packet that is read later may have come at any time since the
        tick before: the loop was held up, which is no jitter of the network, as the clock makes up for it.
        """
        counters = self._counters
        parsed = parse_packet(packet)
        if parsed is None:
            counters.discarded += 1
            return
        payload_type, marker, sequence, timestamp, ssrc, payload = parsed
        clock_rate = self._audio_rates.get(payload_type)
        if clock_rate is None and payload_type not in self._event_rates:
            # Not even counted as of a stream: it may be anything.
            counters.discarded += 1
            return
        source = self._sources.packet(ssrc, sequence, now)
        counters.packets += 1
        counters.bytes += len(payload)
        if source is not self._source:
            if source is not self._sources.current:
                counters.discarded += 1
                return
            self._source = source
            self.events.reset()
        if clock_rate is None:
            self._event(payload_type, payload, timestamp, marker, sequence, now)
        else:
            if now > due:
                now = source.arrival(timestamp, clock_rate, due - TICK, now)
            source.time(timestamp, clock_rate, now)
            counters.payload_type = payload_type
            if not payload:
                # Some send empty packets to keep a path open.
                self._skip(sequence, timestamp, now)
            elif self._listening and self._enabled:
                self.playout.put(payload_type, sequence, timestamp, marker, payload, now, ssrc)

    def pull(self, now: float) -> bytes:
        """The next 20 ms at the playout's rate."""
        return self.playout.pull(now)

    def tick(self, now: float) -> None:
        """Time passes: a tone whose end was lost is over some time."""
        if self._tone_heard is not None:
            self._tell(self.events.tick(now))
            if now - self._tone_heard > _TONE_MEMORY:
                self._tone_heard = None

    def _event(
        self, payload_type: int, payload: bytes, timestamp: int, marker: bool, sequence: int, now: float
    ) -> None:
        counters, events = self._counters, self.events
        counters.events += 1
        self._skip(sequence, timestamp, now)
        if self._enabled:
            self._tone_heard = now
            malformed = events.malformed
            rate = self._event_rates[payload_type]
            self._tell(events.packet(payload, timestamp, marker, sequence, now, rate))
            counters.discarded += events.malformed - malformed

    def _skip(self, sequence: int, timestamp: int, now: float) -> None:
        if self._listening and self._enabled:
            self.playout.skip(sequence, timestamp, now)

    def _tell(self, tones: list[DtmfEvent]) -> None:
        for tone in tones:
            if self.on_tone is not None:
                self.on_tone(tone)
