"""What the peer says: 20 ms of PCM at a time, true in time, to every sink of the call.

The clock of the audio engine pushes in every tick, silence too, so that a recording is as long as the call was.
Where ticks are missing (the loop was held up, another branch of the call has not connected yet), the clock says
how much silence belongs there.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from sipua.media.faults import FAULTS, told
from sipua.media.interface import PCM_RATES, AudioReader, AudioSink, PcmChunk
from sipua.media.pcm import FRAME_DURATION, SAMPLE_BYTES, Resampler, duration, samples_per_frame
from sipua.media.threaded import ThreadedSink
from sipua.media.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.errors import MediaError

__all__ = ["EchoPath", "Inlet", "PcmReader"]


class Inlet:
    """Gives decoded audio to sinks. Those that may block get it in threads."""

    def __init__(self, on_error: Callable[[MediaError], None], clock: Callable[[], float]) -> None:
        # Each with what stands for it.
        self._sinks: list[tuple[AudioSink, AudioSink]] = []
        self._closing: list[ThreadedSink] = []
        self._on_error = on_error
        self._timeline = Timeline(clock)
        self.closed = False

    def __bool__(self) -> bool:
        return bool(self._sinks)

    @property
    def sinks(self) -> tuple[AudioSink, ...]:
        """Those that are given what comes."""
        return tuple(sink for sink, _ in self._sinks)

    @property
    def files(self) -> tuple[ThreadedSink, ...]:
        """Those that threads write, also when they are not given anything any more but are not closed yet."""
        writing = [way for _, way in self._sinks if isinstance(way, ThreadedSink)]
        return (*self._closing, *writing)

    def add(self, sink: AudioSink) -> None:
        """Open the sink and give it what comes from now on. One that is given it already goes on."""
        if any(sink is other for other, _ in self._sinks):
            return
        way = ThreadedSink(sink, lambda error: self._failed(sink, error)) if sink.blocking else sink
        way.open()
        if not self._sinks:
            # Nobody was told what was said before.
            self._timeline.restart()
        self._sinks.append((sink, way))

    def remove(self, sink: AudioSink) -> None:
        """Take the sink off and close it."""
        way = self._take(sink)
        if way is not None:
            self._finish(sink, way)

    def push(self, pcm: bytes, rate: int) -> None:
        """What was heard in this tick."""
        hole = self._timeline.step(duration(pcm, rate))
        if hole:
            self._fill(hole, rate)
        self._give(pcm, rate)

    def close(self) -> None:
        """Close all sinks."""
        self.closed = True
        sinks, self._sinks = self._sinks, []
        for sink, way in sinks:
            self._finish(sink, way)

    def _fill(self, seconds: float, rate: int) -> None:
        second = bytes(rate * SAMPLE_BYTES)
        samples = int(seconds * rate)
        while samples > 0:
            # One object for all of a long one, which may wait for a disk.
            self._give(second if samples >= rate else bytes(samples * SAMPLE_BYTES), rate)
            samples -= rate

    def _give(self, pcm: bytes, rate: int) -> None:
        for sink, way in self._sinks[:]:
            try:
                way.write(pcm, rate)
            except FAULTS as error:
                self._failed(sink, error)

    def _take(self, sink: AudioSink) -> AudioSink | None:
        for index, (other, way) in enumerate(self._sinks):
            if other is sink:
                del self._sinks[index]
                return way
        return None

    def _failed(self, sink: AudioSink, error: BaseException) -> None:
        """It is off the call, if it was not already."""
        way = self._take(sink)
        self._tell(sink, error)
        if way is not None:
            self._finish(sink, way, quietly=True)

    def _finish(self, sink: AudioSink, way: AudioSink, *, quietly: bool = False) -> None:
        self._closing = [other for other in self._closing if not other.closed]
        if isinstance(way, ThreadedSink):
            self._closing.append(way)
        try:
            way.close()
        except FAULTS as error:
            if not quietly:
                self._tell(sink, error)

    def _tell(self, sink: AudioSink, error: BaseException) -> None:
        self._on_error(told(f"audio sink {sink!r}", error))


class PcmReader(AudioReader, AudioSink):
    """A sink that an application reads from, in chunks of 20 ms."""

    def __init__(
        self,
        rate: int,
        max_queued: float,
        detach: Callable[[AudioSink], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if rate not in PCM_RATES:
            raise ValueError(f"rate={rate!r}: must be one of {', '.join(map(str, PCM_RATES))} Hz")
        if not max_queued >= FRAME_DURATION:
            raise ValueError(f"max_queued={max_queued!r}: must be at least {FRAME_DURATION} s")
        self.rate = rate
        self.dropped = 0
        self._limit = max(1, round(max_queued / FRAME_DURATION))
        self._chunk_bytes = samples_per_frame(rate) * SAMPLE_BYTES
        self._detach = detach
        self._resampler: Resampler | None = None
        self._partial = bytearray()
        self._clock = clock
        self._chunks: deque[PcmChunk] = deque()
        self._changed = asyncio.Event()
        self._over = False

    async def __anext__(self) -> PcmChunk:
        while not self._chunks:
            if self._over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._chunks.popleft()

    def write(self, pcm: bytes, rate: int) -> None:
        """Queue; the oldest go when there is no room."""
        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, self.rate)
        # The tick is now; what was left of those before comes first.
        began = self._clock() - duration(self._partial, self.rate)
        self._partial += self._resampler(pcm)
        while len(self._partial) >= self._chunk_bytes:
            if len(self._chunks) >= self._limit:
                self._chunks.popleft()
                self.dropped += 1
            chunk = PcmChunk(self._partial[: self._chunk_bytes])
            chunk.time = began
            began += FRAME_DURATION
            self._chunks.append(chunk)
            del self._partial[: self._chunk_bytes]
        self._changed.set()

    def close(self) -> None:
        """No more; what is queued can still be read."""
        if not self._over:
            self._over = True
            self._changed.set()
            self._detach(self)


class EchoPath(AudioSink):
    """From what the peer says to what it hears, in the same tick where the sample rates allow.

    When more than a frame too many has been in store all the time for five seconds, one is dropped: no delay
    stays for long.
    """

    _START = 1
    _LIMIT = 20
    _REVIEW = 250  # frames: 5 s

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._rate = 0
        self.closed = False
        self._resampler: Resampler | None = None
        self._primed = False
        self._reads = 0
        self._least = self._LIMIT

    def write(self, pcm: bytes, rate: int) -> None:
        """From the peer."""
        if self._rate and rate != self._rate:
            if self._resampler is None or self._resampler.source_rate != rate:
                self._resampler = Resampler(rate, self._rate)
            pcm = self._resampler(pcm)
        elif self._resampler is not None:
            # What is left of another rate is no whole frame, and would stay as delay.
            self._resampler = None
            del self._buffer[: len(self._buffer) % (samples_per_frame(rate) * SAMPLE_BYTES)]
        self._buffer += pcm
        if self._rate:
            frame = samples_per_frame(self._rate) * SAMPLE_BYTES
            excess = len(self._buffer) - self._LIMIT * frame
            if excess > 0:
                del self._buffer[: excess + -excess % frame]

    def read(self, samples: int, rate: int) -> bytes:
        """To the peer; empty while there is nothing."""
        if rate != self._rate:
            self._rate = rate
            self._buffer.clear()
            self._resampler, self._primed = None, False
        frame = samples * SAMPLE_BYTES
        held = len(self._buffer) // frame
        if not self._primed:
            if held < self._START:
                return b""
            self._primed = True
        if held == 0:
            return b""
        self._review(held, frame)
        pcm = bytes(self._buffer[:frame])
        del self._buffer[:frame]
        return pcm

    def close(self) -> None:
        """Nothing more comes."""
        self.closed = True

    def _review(self, held: int, frame: int) -> None:
        self._least = min(self._least, held)
        self._reads += 1
        if self._reads >= self._REVIEW:
            if self._least > self._START + 1:
                del self._buffer[:frame]
            self._reads, self._least = 0, self._LIMIT
