"""What a peer can be made to hear: files, tones, silence, PCM from generators.

Sources are descriptions, cheap to make; what they need (av, numpy, the file) is loaded when they are
checked or opened.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError, MediaError
from sipua.media.interface import AudioSource, PcmStream

if TYPE_CHECKING:
    from sipua.media.pcm import Resampler

__all__ = ["AudioFile", "Pcm", "Silence", "Tone", "as_hold_music", "as_source"]


def as_source(value: object) -> AudioSource | None:
    """The source that `value` means: a source is itself, a path is a file played once, None is silence."""
    if value is None or isinstance(value, AudioSource):
        return value
    if isinstance(value, str | PathLike):
        return AudioFile(Path(value))
    raise ConfigurationError(
        "audio", value, "give a path, None, or a source such as AudioFile, Tone, Silence or Pcm"
    )


def as_hold_music(value: object) -> AudioSource | None:
    """As `as_source`; a path is a file played over and over."""
    return AudioFile(value, loop=True) if isinstance(value, str | PathLike) else as_source(value)


class AudioFile(AudioSource):
    """A file in any format that ffmpeg decodes, played once, over and over (`loop=True`) or `loop` times.

    `gain` is its volume in dB. `check` raises MediaFileError for what cannot be played. The file is opened when it is
    first heard, and decoded as it goes; from one time to the next there is no gap.
    """

    def __init__(self, path: str | PathLike[str], *, loop: bool | int = False, gain: float = 0.0) -> None:
        self.path = Path(path).expanduser()
        if loop is not True and loop is not False and loop < 1:
            raise ConfigurationError("loop", loop, "must be True, False, or how often to play it, 1 or more")
        self.loop = loop
        self.gain = _decibels(gain)

    def __repr__(self) -> str:
        return f"AudioFile({str(self.path)!r}{f', loop={self.loop}' if self.loop else ''})"

    def check(self) -> None:
        """Decode the first samples."""
        from sipua.media.files import check_audio_file

        check_audio_file(self.path)

    def open(self, rate: int) -> PcmStream:
        """A stream from the beginning of the file."""
        from sipua.media.files import FileStream

        return FileStream(self.path, rate, plays=None if self.loop is True else int(self.loop) or 1)


class Silence(AudioSource):
    """Nothing, for `seconds` or (None) for ever."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = _positive("seconds", seconds)

    def __repr__(self) -> str:
        return f"Silence({'' if self.seconds is None else self.seconds})"

    def open(self, rate: int) -> PcmStream:
        """A stream of zeros."""
        return _SilenceStream(self.seconds, rate)


class Tone(AudioSource):
    """One or more sine waves, for `seconds` or (None) for ever.

    `level` is that of the sum of all waves in dBov, where one sine wave at full scale has -3 (:rfc:`6464`).
    The default is a comfortable level on the telephone.
    """

    def __init__(self, *frequencies: float, level: float = -16.0, seconds: float | None = None) -> None:
        self.frequencies = frequencies or (440.0,)
        for frequency in self.frequencies:
            if not 0 < frequency < 24000:
                raise ConfigurationError("frequency", frequency, "must be above 0 and below 24000 Hz")
        if not level <= 0:
            raise ConfigurationError("level", level, "must be at most 0 dB")
        self.level = level
        self.seconds = _positive("seconds", seconds)

    def __repr__(self) -> str:
        return f"Tone({', '.join(map(str, self.frequencies))})"

    def open(self, rate: int) -> PcmStream:
        """A stream that starts at phase 0."""
        return _ToneStream(self, rate)


class Pcm(AudioSource):
    """PCM at `rate` Hz from an iterable or async iterable of bytes, in chunks of any size.

    Give a function that makes one (such as a generator function) to be able to play it more than once. A
    synchronous one is asked for more in the event loop, when it is needed, and must not block; empty chunks
    are silence when nothing else comes. An asynchronous one is read at most half a second ahead; while it has
    nothing to give, there is silence.
    """

    def __init__(
        self,
        chunks: Iterable[bytes] | AsyncIterable[bytes] | Callable[[], Iterable[bytes] | AsyncIterable[bytes]],
        rate: int = 16000,
    ) -> None:
        if not isinstance(chunks, Iterable | AsyncIterable) and not callable(chunks):
            raise ConfigurationError("chunks", chunks, "must be an iterable or async iterable of bytes")
        if not 4000 <= rate <= 192000:
            raise ConfigurationError("rate", rate, "must be a sample rate in Hz, from 4000 to 192000")
        # Bytes are iterable too, as integers.
        self.chunks = (bytes(chunks),) if isinstance(chunks, bytes | bytearray | memoryview) else chunks
        self.rate = rate

    def open(self, rate: int) -> PcmStream:
        """Start, or for an iterator that was given as it is: go on."""
        chunks = self.chunks if isinstance(self.chunks, Iterable | AsyncIterable) else self.chunks()
        if isinstance(chunks, AsyncIterable):
            return _AsyncPcmStream(chunks.__aiter__(), self.rate, rate)
        return _IteratorPcmStream(iter(chunks), self.rate, rate)


def _positive(key: str, seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise ConfigurationError(key, seconds, "must be above 0, or None for ever")
    return seconds


def _decibels(gain: float) -> float:
    if not -120 <= gain <= 40:
        raise ConfigurationError("gain", gain, "must be from -120 to 40 dB")
    return float(gain)


class _Countdown(PcmStream):
    """A stream that ends after some seconds."""

    def __init__(self, seconds: float | None, rate: int) -> None:
        self._left = None if seconds is None else round(seconds * rate)

    def _take(self, samples: int) -> int:
        if self._left is None:
            return samples
        samples = min(samples, self._left)
        self._left -= samples
        return samples


class _SilenceStream(_Countdown):
    def read(self, samples: int) -> bytes:
        return bytes(2 * self._take(samples))


class _ToneStream(_Countdown):
    def __init__(self, tone: Tone, rate: int) -> None:
        super().__init__(tone.seconds, rate)
        # The level of n equal sines of amplitude a is a·sqrt(n/2).
        frequencies = [f for f in tone.frequencies if f < rate / 2]
        count = max(1, len(frequencies))
        self._amplitude = min(32767 / count, 32767 * 10 ** (tone.level / 20) * math.sqrt(2 / count))
        self._steps = [2 * math.pi * f / rate for f in frequencies]
        self._phases = [0.0] * len(frequencies)

    def read(self, samples: int) -> bytes:
        import numpy as np

        samples = self._take(samples)
        wave = np.zeros(samples)
        for i, step in enumerate(self._steps):
            wave += np.sin(self._phases[i] + step * np.arange(samples))
            self._phases[i] = (self._phases[i] + step * samples) % (2 * math.pi)
        return bytes((self._amplitude * wave).astype("<i2"))


# So many chunks without a byte, one after the other: it has nothing at present.
_MOST_EMPTY = 20


class _PcmStream(PcmStream):
    """A buffer in front of a resampler; chunks may split samples."""

    def __init__(self, source_rate: int, rate: int) -> None:
        from sipua.media.pcm import Resampler

        self._resampler: Resampler = Resampler(source_rate, rate)
        self._buffer = bytearray()
        self._odd = b""

    def _append(self, chunk: bytes) -> None:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise MediaError(f"a PCM source gave {type(chunk).__name__}; it must give bytes")
        chunk = self._odd + bytes(chunk)
        whole = len(chunk) & ~1
        self._odd = chunk[whole:]
        self._buffer += self._resampler(chunk[:whole])

    def _cut(self, wanted: int) -> bytes:
        chunk = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return chunk


class _IteratorPcmStream(_PcmStream):
    def __init__(self, chunks: Iterator[bytes], source_rate: int, rate: int) -> None:
        super().__init__(source_rate, rate)
        self._chunks = chunks
        self._over = False

    def read(self, samples: int) -> bytes:
        empty = 0
        while len(self._buffer) < 2 * samples and not self._over:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._over = True
                self._buffer += self._resampler.flush()
            else:
                self._append(chunk)
                empty = 0 if len(chunk) else empty + 1
                if empty > _MOST_EMPTY:
                    return self._cut(2 * samples).ljust(2 * samples, b"\0")
        return self._cut(2 * samples)

    def close(self) -> None:
        if inspect.isgenerator(self._chunks):
            self._chunks.close()


class _AsyncPcmStream(_PcmStream):
    def __init__(self, chunks: AsyncIterator[bytes], source_rate: int, rate: int) -> None:
        super().__init__(source_rate, rate)
        self._chunks = chunks
        self._ahead = rate  # bytes: half a second
        self._room = asyncio.Event()
        self._error: Exception | None = None
        self._over = False
        self._feeder = asyncio.get_running_loop().create_task(self._feed(), name="sipua pcm source")

    async def _feed(self) -> None:
        try:
            async for chunk in self._chunks:
                self._append(chunk)
                while len(self._buffer) > self._ahead:
                    self._room.clear()
                    await self._room.wait()
            self._buffer += self._resampler.flush()
        except Exception as error:  # noqa: BLE001 - the application's generator; told to who reads
            self._error = error
        finally:
            self._over = True
            if inspect.isasyncgen(self._chunks):
                await self._chunks.aclose()

    def read(self, samples: int) -> bytes:
        if self._error is not None and not self._buffer:
            error, self._error = self._error, None
            raise error
        chunk = self._cut(2 * samples)
        if len(self._buffer) <= self._ahead:
            self._room.set()
        # Less than was asked for would be the end; an error is told when all before it was heard.
        ended = self._over and self._error is None
        return chunk if ended else chunk.ljust(2 * samples, b"\0")

    def close(self) -> None:
        self._feeder.cancel()
