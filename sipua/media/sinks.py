"""Where what a peer says can go: wav, ogg and mp3 files, functions of the application, nowhere."""

from __future__ import annotations

import contextlib
import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError, MediaFileError
from sipua.media.claims import claimed, release
from sipua.media.interface import AudioSink
from sipua.media.wav import WavWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.encoding import OggWriter
    from sipua.media.interface import AudioSource
    from sipua.media.pcm import Resampler
    from sipua.media.recording import Recording

__all__ = [
    "Mp3File",
    "NullSink",
    "OggFile",
    "PcmCallback",
    "WavFile",
    "as_sink",
    "as_some_sink",
    "check_apart",
    "check_writable",
    "reason_of",
]


def as_sink(value: object) -> AudioSink | None:
    """The sink that `value` means: a sink is itself, a path becomes a file by its ending, None is none."""
    if value is None or isinstance(value, AudioSink):
        return value
    if not isinstance(value, str | PathLike):
        raise ConfigurationError("record", value, "give a path, None, or a sink such as WavFile or OggFile")
    path = Path(value).expanduser()
    kinds: dict[str, type[_FileSink]] = {".wav": WavFile, ".ogg": OggFile, ".opus": OggFile, ".mp3": Mp3File}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise MediaFileError(
            path, "recordings are wav, ogg or mp3; give a name that ends in .wav, .ogg or .mp3"
        )
    return kind(path)


def as_some_sink(value: object) -> AudioSink:
    """As `as_sink`, where there must be one."""
    sink = as_sink(value)
    if sink is None:
        raise TypeError("add_sink needs a sink or a path")
    return sink


def check_writable(path: Path) -> None:
    """Raise MediaFileError if a file of this name cannot be made. Leaves the disk as it is."""
    if path.is_dir():
        raise MediaFileError(path, "is a directory; give the name of a file")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise MediaFileError(path, "may not be overwritten; choose another name")
        return
    if not path.parent.is_dir():
        raise MediaFileError(path, f"directory {path.parent} does not exist; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise MediaFileError(path, f"directory {path.parent} is not writable; choose another one")


def check_apart(source: AudioSource | None, sink: AudioSink | Recording | None) -> None:
    """Raise MediaFileError if a recording would replace the very file that is played."""
    played, recorded = getattr(source, "path", None), getattr(sink, "path", None)
    if isinstance(played, Path) and isinstance(recorded, Path) and _is_same(played, recorded):
        raise MediaFileError(recorded, "is the file that is played; record to another one")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # at least one of them does not exist
        return one.resolve() == other.resolve()


class NullSink(AudioSink):
    """Takes everything and keeps nothing but the count of `samples`."""

    def __init__(self) -> None:
        self.samples = 0

    def write(self, pcm: bytes, rate: int) -> None:
        """Count."""
        self.samples += len(pcm) // 2


class PcmCallback(AudioSink):
    """Calls a function with PCM and its rate, in the event loop: it must not block."""

    def __init__(self, function: Callable[[bytes, int], object]) -> None:
        self._function = function

    def write(self, pcm: bytes, rate: int) -> None:
        """Call the function."""
        self._function(pcm, rate)


class _FileSink(AudioSink):
    """What all kinds of file share: a path that is looked at early, and a disk that may be slow."""

    blocking = True

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path).expanduser()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def check(self) -> None:
        """Raise MediaFileError now if the file could not be made."""
        check_writable(self.path)


class WavFile(_FileSink):
    """A 16 bit mono wav file at `rate` Hz (None: the rate of what comes first).

    It is written about once a second, so what a crash leaves behind can be played to its last second. Beyond 4 GB it
    is an RF64 file. An existing file is replaced. Its methods write at once; of a call's sink a thread calls them.
    """

    def __init__(self, path: str | PathLike[str], rate: int | None = None) -> None:
        super().__init__(path)
        self._rate = rate
        self._resampler: Resampler | None = None
        self._writer: WavWriter | None = None
        self._pending = bytearray()
        self._written = 0
        self._broken = False

    @property
    def rate(self) -> int:
        """Of the file, in Hz."""
        return self._rate or 8000

    @property
    def seconds(self) -> float:
        """Recorded so far."""
        return (self._written + len(self._pending)) / (2 * self.rate)

    def open(self) -> None:
        """Make the file, with no sound in it yet."""
        self.check()
        with claimed(self.path, self):
            try:
                self._writer = WavWriter(self.path, self.rate)
            except OSError as error:
                raise self._failed(error) from None

    def write(self, pcm: bytes, rate: int) -> None:
        """Append PCM."""
        if self._rate is None:
            self._rate = rate
        if rate != self._rate:
            pcm = self._resample(pcm, rate)
        self._pending += pcm
        if len(self._pending) >= 2 * self.rate:
            try:
                self._flush()
            except OSError as error:
                raise self._failed(error) from None

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._writer is None:
            return
        try:
            if self._resampler is not None:
                self._pending += self._resampler.flush()
            self._flush()
        except OSError as error:
            raise self._failed(error) from None
        finally:
            self._writer.close()
            self._writer = None
            if self._broken and not self._written:
                from sipua.media.files import keep_if_playable

                keep_if_playable(self.path)
            release(self.path, self)

    def _resample(self, pcm: bytes, rate: int) -> bytes:
        from sipua.media.pcm import Resampler

        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, self.rate)
        return self._resampler(pcm)

    def _flush(self) -> None:
        assert self._writer is not None
        pending, self._pending = bytes(self._pending), bytearray()
        self._writer.rate = self.rate
        try:
            self._writer.write(pending)
        finally:
            self._written = self._writer.written

    def _failed(self, error: OSError) -> MediaFileError:
        self._broken = True
        kept = f"the first {self.seconds:.1f} s are kept" if self._written else "nothing was recorded"
        return MediaFileError(self.path, f"recording stopped: {reason_of(error)}; {kept}")


def reason_of(error: OSError) -> str:
    """What the operating system says, in small letters."""
    return error.strerror.lower() if error.strerror else str(error)


class OggFile(_FileSink):
    """An Opus file in ogg, 48 kHz mono. What a crash leaves behind can be played to its last half second."""

    _KIND = "ogg"

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)
        self._writer: OggWriter | None = None

    def open(self) -> None:
        """Make the file."""
        from sipua.media.encoding import OggWriter

        self.check()
        with claimed(self.path, self):
            self._writer = OggWriter(self.path, self._KIND)

    def write(self, pcm: bytes, rate: int) -> None:
        """Append PCM."""
        assert self._writer is not None
        try:
            self._writer.write(pcm, rate)
        except OSError as error:
            with contextlib.suppress(OSError):  # the same again
                self.close()
            raise self._failed(error) from None

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.close()
        except OSError as error:
            raise self._failed(error) from None
        finally:
            release(self.path, self)

    def _failed(self, error: OSError) -> MediaFileError:
        from sipua.media.files import keep_if_playable

        kept = "; what was written is kept" if keep_if_playable(self.path) else "; nothing was recorded"
        return MediaFileError(self.path, f"recording stopped: {reason_of(error).lower()}{kept}")


class Mp3File(OggFile):
    """An mp3 file, 48 kHz mono. What a crash leaves behind can be played to its last frame."""

    _KIND = "mp3"
