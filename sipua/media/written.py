"""What the application wrote for the peer to hear, and when that was heard."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from sipua.errors import InvalidStateError
from sipua.media.interface import PCM_RATES, Utterance
from sipua.media.pcm import SAMPLE_BYTES, Resampler, duration

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QueuedUtterance", "WriteQueue"]


class QueuedUtterance(Utterance):
    """One `write` on its way."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.heard = 0.0
        self.started = self.ended = None
        self._over = asyncio.Event()

    async def wait(self) -> bool:
        """Wait until it is over."""
        await self._over.wait()
        return self.heard >= self.seconds

    def advance(self, seconds: float, now: float) -> None:
        """So much more of it goes out, in the tick at `now`."""
        if self.started is None:
            self.started = now
        self.heard = min(self.seconds, self.heard + seconds)
        if self.seconds - self.heard < 1e-6:
            self.heard = self.seconds
            self.end(now + seconds)

    def end(self, now: float) -> None:
        """No more of it will be heard; the first end counts."""
        if not self._over.is_set():
            self.ended = now if self.started is not None else None
            self._over.set()


class WriteQueue:
    """PCM the application wrote, in order, at most `limit` seconds of it. Writers that are too fast wait.

    `clock` tells the time that utterances are marked with. With packets longer than a tick, the end of what was
    written leaves `delay` ticks after it was taken.
    """

    def __init__(self, limit: float = 2.0, clock: Callable[[], float] | None = None) -> None:
        self.limit = limit
        self.delay = 0
        self._clock = clock if clock is not None else (lambda: asyncio.get_running_loop().time())
        self._chunks: deque[tuple[bytes, int, QueuedUtterance]] = deque()
        self._ready = bytearray()  # at the rate of the outlet
        self._ready_rate = 0
        self._shares: deque[tuple[QueuedUtterance, float]] = deque()  # whose seconds are ready
        self._resampler: Resampler | None = None
        self._seconds = 0.0
        self._idle = 0
        self._epoch = 0
        self._closed = False
        self._order = asyncio.Lock()
        self._changed = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._chunks or self._ready)

    @property
    def seconds(self) -> float:
        """Queued and not taken yet."""
        return self._seconds + (duration(self._ready, self._ready_rate) if self._ready else 0.0)

    async def write(self, pcm: bytes, rate: int) -> QueuedUtterance:
        """Queue it all, waiting for room as often as it takes."""
        pcm = _checked_pcm(pcm, rate)
        utterance = QueuedUtterance(duration(pcm, rate))
        epoch = self._epoch
        step = rate // 5 * SAMPLE_BYTES  # 0.2 s
        try:
            async with self._order:
                for start in range(0, len(pcm), step):
                    chunk = pcm[start : start + step]
                    while self.seconds + duration(chunk, rate) > self.limit and epoch == self._epoch:
                        await self._wait()
                    if self._closed or epoch != self._epoch:
                        break
                    self._chunks.append((chunk, rate, utterance))
                    self._seconds += duration(chunk, rate)
                    self._idle = 0
        except BaseException:
            utterance.seconds = self._given(utterance)
            raise
        if self._closed:
            raise InvalidStateError("write", "closed")
        if epoch != self._epoch or not pcm:
            utterance.end(self._clock())
        return utterance

    def _given(self, utterance: QueuedUtterance) -> float:
        """The seconds that were queued of an utterance whose writer was cancelled."""
        waiting = sum(duration(chunk, rate) for chunk, rate, of in self._chunks if of is utterance)
        return utterance.heard + waiting + sum(share for of, share in self._shares if of is utterance)

    def take(self, samples: int, rate: int) -> bytes:
        """Up to so many samples at `rate`, which go out now."""
        pcm = self.peek(samples, rate)
        del self._ready[: len(pcm)]
        if pcm:
            self._mark(duration(pcm, rate))
            if not self:
                self._idle = 0
        self._changed.set()
        return pcm

    def idle(self) -> None:
        """A tick in which nothing was taken."""
        if not self and self._idle < self.delay:
            self._idle += 1
            self._changed.set()

    def peek(self, samples: int, rate: int) -> bytes:
        """What `take` would give."""
        wanted = samples * SAMPLE_BYTES
        if rate != self._ready_rate:
            self._change_rate(rate)
        while len(self._ready) < wanted and self._chunks:
            chunk, source_rate, utterance = self._chunks.popleft()
            self._seconds -= duration(chunk, source_rate)
            if self._resampler is None or self._resampler.source_rate != source_rate:
                self._ready += self._resampler.flush() if self._resampler is not None else b""
                self._resampler = Resampler(source_rate, rate)
            self._ready += self._resampler(chunk)
            self._shares.append((utterance, duration(chunk, source_rate)))
        if len(self._ready) < wanted and self._resampler is not None:
            # The end of what was said: nothing is kept for a next sentence that may never come.
            self._ready += self._resampler.flush()
            self._resampler = None
        if not self._chunks:
            self._seconds = 0.0  # no rounding error lives on
        return bytes(self._ready[:wanted])

    def _change_rate(self, rate: int) -> None:
        if self._ready:
            rest = bytes(self._ready) + (self._resampler.flush() if self._resampler is not None else b"")
            convert = Resampler(self._ready_rate, rate)
            self._ready = bytearray(convert(rest) + convert.flush())
        self._resampler, self._ready_rate = None, rate

    def _mark(self, seconds: float) -> None:
        """Tell the utterances that so many seconds of them went out."""
        now = self._clock()
        over = not self
        while self._shares and (seconds > 1e-9 or over):
            utterance, share = self._shares[0]
            # Resampling makes a sample more or less: the last of them takes it.
            part = share if over else min(share, seconds)
            utterance.advance(part, now)
            seconds -= part
            now += part
            if part < share - 1e-9:
                self._shares[0] = utterance, share - part
            else:
                self._shares.popleft()

    def clear(self) -> float:
        """Drop everything, also what writers still hold; returns the seconds that were queued."""
        dropped = self.seconds
        utterances = [of for of, _ in self._shares] + [of for _, _, of in self._chunks]
        self._epoch += 1
        self._chunks.clear()
        self._ready.clear()
        self._shares.clear()
        self._resampler = None
        self._seconds = 0.0
        if utterances:
            now = self._clock()
            for utterance in utterances:
                utterance.end(now)
        self._changed.set()
        return dropped

    async def drain(self) -> None:
        """Wait until nothing is queued, no writer waits, and the last packet has left."""
        while not self._closed and (self or self._order.locked() or self._idle < self.delay):
            await self._wait()

    def close(self) -> None:
        """Drop everything; writers get InvalidStateError."""
        self._closed = True
        self.clear()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _checked_pcm(pcm: bytes, rate: int) -> bytes:
    if not isinstance(pcm, bytes | bytearray | memoryview):
        # Arrays have lengths in other units, and floats are no samples.
        raise TypeError(
            f"PCM must be bytes, not {type(pcm).__name__}; of an array of 16 bit integers: tobytes()"
        )
    pcm = bytes(pcm)
    if rate not in PCM_RATES:
        raise ValueError(f"rate={rate!r}: must be one of {', '.join(map(str, PCM_RATES))} Hz")
    if len(pcm) % SAMPLE_BYTES:
        raise ValueError(f"{len(pcm)} bytes of PCM hold half a sample; samples are 16 bit")
    return pcm
