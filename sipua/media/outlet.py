"""What the peer hears: one endless stream of 20 ms, whatever plays in it.

The packet clock pulls; nothing here waits for anything. In order: silence while muted, what the application
wrote, the source, silence. So files, mute and hold come and go without the RTP stream noticing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from sipua.errors import InvalidStateError, MediaError
from sipua.media.interface import PCM_RATES, AudioSource, PcmStream, Playback
from sipua.media.pcm import SAMPLE_BYTES, Resampler, duration, samples_per_frame, silence

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Outlet", "WriteQueue"]

logger = logging.getLogger(__name__)


class Outlet:
    """Hands out 20 ms of PCM at a time, at `rate` Hz."""

    def __init__(
        self,
        on_error: Callable[[MediaError], None],
        replace: Callable[[bytes, int], bytes] = lambda pcm, rate: pcm,
    ) -> None:
        self.rate = 48000
        self.muted = False
        self.written = WriteQueue()
        self.source: AudioSource | None = None
        self._on_error = on_error
        self._replace = replace  # in-band tones go over everything, also while muted
        self._stream: PcmStream | None = None
        self.playback: SourcePlayback | None = None
        self._closed = False

    def set_rate(self, rate: int) -> None:
        """Choose the rate; a source that has been opened already keeps to the old one, resampled."""
        if rate == self.rate:
            return
        if self._stream is not None:
            self._stream = _Converted(self._stream, self.rate, rate)
        self.rate = rate

    def pull(self) -> bytes:
        """The next 20 ms."""
        return self._replace(self._pull(), self.rate)

    def _pull(self) -> bytes:
        samples = samples_per_frame(self.rate)
        if self.written and not self.muted:
            pcm = self.written.take(samples, self.rate)
        else:
            pcm = self._read_source(samples)
            if self.muted:
                return silence(samples)
        missing = samples - len(pcm) // SAMPLE_BYTES
        return pcm + silence(missing) if missing > 0 else pcm

    def play(self, source: AudioSource | None) -> SourcePlayback:
        """Put `source` in the place of the present one. It is opened when it is first heard."""
        self._end_source(completed=False)
        playback = SourcePlayback(self)
        if self._closed or source is None:
            playback.end(completed=False)
        else:
            self.source, self.playback = source, playback
        return playback

    def stop(self, playback: SourcePlayback) -> None:
        """Silence, if this is what plays."""
        if playback is self.playback:
            self._end_source(completed=False)

    def close(self) -> None:
        """End everything that waits for sound to be heard."""
        self._closed = True
        self._end_source(completed=False)
        self.written.close()

    def _read_source(self, samples: int) -> bytes:
        if self.source is None:
            return b""
        try:
            if self._stream is None:
                self._stream = self.source.open(self.rate)
            pcm = self._stream.read(samples)
        except Exception as error:  # sources are the application's; a call survives them
            if not isinstance(error, MediaError):
                logger.warning("audio source %r failed", self.source, exc_info=error)
                error = MediaError(f"audio source {self.source!r} failed: {error}")
            self._end_source(completed=False)
            self._on_error(error)
            return b""
        if len(pcm) < samples * SAMPLE_BYTES:
            self._end_source(completed=True)
        return pcm

    def _end_source(self, *, completed: bool) -> None:
        stream, self._stream = self._stream, None
        self.source = None
        if stream is not None:
            try:
                stream.close()
            except Exception:
                logger.warning("audio source did not close", exc_info=True)
        if self.playback is not None:
            self.playback.end(completed=completed)


class SourcePlayback(Playback):
    """One source while it plays."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._over = asyncio.Event()
        self._completed = False

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        return self._over.is_set()

    async def wait(self) -> bool:
        """Wait until it is over."""
        await self._over.wait()
        return self._completed

    def stop(self) -> None:
        """Stop it."""
        self._outlet.stop(self)

    def end(self, *, completed: bool) -> None:
        """Note how it ended; the first end counts."""
        if not self._over.is_set():
            self._completed = completed
            self._over.set()


class WriteQueue:
    """PCM the application wrote, in order, at most `limit` seconds of it. Writers that are too fast wait."""

    def __init__(self, limit: float = 2.0) -> None:
        self.limit = limit
        self._chunks: deque[tuple[bytes, int]] = deque()
        self._ready = bytearray()  # at the rate of the outlet
        self._ready_rate = 0
        self._resampler: Resampler | None = None
        self._seconds = 0.0
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

    async def write(self, pcm: bytes, rate: int) -> None:
        """Queue it all, waiting for room as often as it takes."""
        _check_pcm(pcm, rate)
        epoch = self._epoch
        step = rate // 5 * SAMPLE_BYTES  # 0.2 s
        async with self._order:
            for start in range(0, len(pcm), step):
                chunk = bytes(pcm[start : start + step])
                while self.seconds + duration(chunk, rate) > self.limit and epoch == self._epoch:
                    await self._wait()
                if self._closed:
                    raise InvalidStateError("write", "closed")
                if epoch != self._epoch:
                    return
                self._chunks.append((chunk, rate))
                self._seconds += duration(chunk, rate)
        if self._closed:
            raise InvalidStateError("write", "closed")

    def take(self, samples: int, rate: int) -> bytes:
        """Up to so many samples at `rate`."""
        wanted = samples * SAMPLE_BYTES
        if rate != self._ready_rate:
            self._ready.clear()
            self._resampler, self._ready_rate = None, rate
        while len(self._ready) < wanted and self._chunks:
            chunk, source_rate = self._chunks.popleft()
            self._seconds -= duration(chunk, source_rate)
            if self._resampler is None or self._resampler.source_rate != source_rate:
                self._resampler = Resampler(source_rate, rate)
            self._ready += self._resampler(chunk)
        if len(self._ready) < wanted and self._resampler is not None:
            # The end of what was said: nothing is kept for a next sentence that may never come.
            self._ready += self._resampler.flush()
            self._resampler = None
        if not self._chunks:
            self._seconds = 0.0  # no rounding error lives on
        pcm = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        self._changed.set()
        return pcm

    def clear(self) -> float:
        """Drop everything, also what writers still hold; returns the seconds that were queued."""
        dropped = self.seconds
        self._epoch += 1
        self._chunks.clear()
        self._ready.clear()
        self._resampler = None
        self._seconds = 0.0
        self._changed.set()
        return dropped

    async def drain(self) -> None:
        """Wait until nothing is queued and no writer waits."""
        while not self._closed and (self or self._order.locked()):
            await self._wait()

    def close(self) -> None:
        """Drop everything; writers get InvalidStateError."""
        self._closed = True
        self.clear()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class _Converted(PcmStream):
    """An open stream, read at another rate than it was opened with."""

    def __init__(self, stream: PcmStream, source_rate: int, rate: int) -> None:
        self._stream = stream
        self._resampler = Resampler(source_rate, rate)
        self._buffer = bytearray()
        self._over = False

    def read(self, samples: int) -> bytes:
        wanted = samples * SAMPLE_BYTES
        step = samples_per_frame(self._resampler.source_rate)
        while len(self._buffer) < wanted and not self._over:
            pcm = self._stream.read(step)
            self._buffer += self._resampler(pcm)
            if len(pcm) < step * SAMPLE_BYTES:
                self._over = True
                self._buffer += self._resampler.flush()
        chunk = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return chunk

    def close(self) -> None:
        self._stream.close()


def _check_pcm(pcm: bytes, rate: int) -> None:
    if rate not in PCM_RATES:
        raise ValueError(f"rate={rate!r}: must be one of {', '.join(map(str, PCM_RATES))} Hz")
    if len(pcm) % SAMPLE_BYTES:
        raise ValueError(f"{len(pcm)} bytes of PCM hold half a sample; samples are 16 bit")
