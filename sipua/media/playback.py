"""One source while it plays into a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipua.errors import InvalidStateError, MediaError
from sipua.media.fades import Gain
from sipua.media.faults import FAULTS
from sipua.media.interface import AudioSource, PcmStream, Playback
from sipua.media.pcm import SAMPLE_BYTES, Resampler, samples_per_frame

if TYPE_CHECKING:
    from sipua.media.outlet import Outlet

__all__ = ["SourcePlayback"]


class SourcePlayback(Playback):
    """A source that an outlet reads from; opened when it is first heard, or asked about."""

    def __init__(self, source: AudioSource | None, outlet: Outlet) -> None:
        self.source = source
        self.paused = False
        self._outlet = outlet
        self._stream: PcmStream | None = None
        self._rate = 0
        self._ahead = bytearray()  # read to see how it goes on
        self._gain = Gain(source.gain if source is not None else 0.0)
        self._position = 0.0
        self._over = asyncio.Event()
        self._completed = False

    # --- the application's end ----------------------------------------------------------------------------

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

    def pause(self) -> None:
        """Silence, until `resume`."""
        self.paused = True

    def resume(self) -> None:
        """Go on where it was."""
        self.paused = False

    @property
    def gain(self) -> float:
        """In dB."""
        return self._gain.decibels

    @gain.setter
    def gain(self, decibels: float) -> None:
        self._gain.decibels = decibels

    @property
    def duration(self) -> float | None:
        """As the stream says."""
        stream = self._opened(self._rate or self._outlet.rate)
        return stream.duration if stream is not None else None

    @property
    def position(self) -> float:
        """Counted in what was heard."""
        length = self._stream.duration if self._stream is not None else None
        return self._position % length if length and self._position > length + 1e-6 else self._position

    def seek(self, seconds: float) -> None:
        """Go on from there."""
        if not seconds >= 0:
            raise ValueError(f"seconds={seconds!r}: must be 0 or more")
        stream = self._opened(self._rate or self._outlet.rate)
        if stream is None:
            raise InvalidStateError("seek", "finished")
        self._outlet.interrupt(self)
        stream.seek(seconds)
        self._ahead.clear()
        self._position = seconds

    # --- the outlet's end ---------------------------------------------------------------------------------

    def read(self, samples: int, rate: int) -> bytes:
        """The next samples; fewer are its end. Raises what the source raises."""
        pcm = self.peek(samples, rate)
        del self._ahead[: len(pcm)]
        self._position += len(pcm) / (SAMPLE_BYTES * rate)
        return self._gain(pcm)

    def peek(self, samples: int, rate: int) -> bytes:
        """What `read` would give, before its gain."""
        stream = self._opened(rate)
        if stream is None:
            return b""
        missing = samples - len(self._ahead) // SAMPLE_BYTES
        if missing > 0:
            pcm = stream.read(missing)
            if not isinstance(pcm, bytes | bytearray | memoryview):
                raise MediaError(
                    f"audio source {self.source!r} gave {type(pcm).__name__}; it must give bytes"
                )
            self._ahead += pcm
        return bytes(self._ahead[: samples * SAMPLE_BYTES])

    def tail(self, samples: int, rate: int) -> bytes:
        """How it would go on, if that can be told."""
        try:
            pcm = self.peek(samples, rate)
        except FAULTS:  # told when it is read
            return b""
        return self._gain(pcm)

    def end(self, *, completed: bool) -> PcmStream | None:
        """Note how it ended; the first end counts. Returns the stream, to be closed."""
        stream, self._stream = self._stream, None
        if not self._over.is_set():
            self._completed = completed
            self._over.set()
        return stream

    def _opened(self, rate: int) -> PcmStream | None:
        if self._over.is_set() or self.source is None:
            return None
        if self._stream is None:
            self._stream, self._rate = self.source.open(rate), rate
        elif rate != self._rate:
            stream, source_rate = self._stream, self._rate
            if isinstance(
                self._stream, _Converted
            ):  # however often the rate changes, sound is converted once
                self._ahead += self._stream.rest()
                stream, source_rate = self._stream.inner, self._stream.source_rate
            if self._ahead:
                convert = Resampler(self._rate, rate)
                self._ahead = bytearray(convert(bytes(self._ahead)) + convert.flush())
            self._stream = stream if rate == source_rate else _Converted(stream, source_rate, rate)
            self._rate = rate
        return self._stream


class _Converted(PcmStream):
    """An open stream, read at another rate than it was opened with."""

    def __init__(self, stream: PcmStream, source_rate: int, rate: int) -> None:
        self.inner = stream
        self.source_rate = source_rate
        self._rate = rate
        self._resampler = Resampler(source_rate, rate)
        self._buffer = bytearray()
        self._over = False

    @property
    def duration(self) -> float | None:
        return self.inner.duration

    def read(self, samples: int) -> bytes:
        wanted = samples * SAMPLE_BYTES
        step = samples_per_frame(self.source_rate)
        while len(self._buffer) < wanted and not self._over:
            pcm = self.inner.read(step)
            self._buffer += self._resampler(pcm)
            if len(pcm) < step * SAMPLE_BYTES:
                self._over = True
                self._buffer += self._resampler.flush()
        chunk = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return chunk

    def rest(self) -> bytes:
        """What was read and converted already."""
        return bytes(self._buffer) + (b"" if self._over else self._resampler.flush())

    def seek(self, seconds: float) -> None:
        self.inner.seek(seconds)
        self._resampler = Resampler(self.source_rate, self._rate)
        self._buffer.clear()
        self._over = False

    def close(self) -> None:
        self.inner.close()
