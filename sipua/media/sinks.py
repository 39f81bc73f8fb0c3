"""Where what a peer says can go: wav and ogg files, functions of the application, nowhere."""

from __future__ import annotations

import contextlib
import os
import struct
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError, MediaFileError
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.files import OggWriter
    from sipua.media.interface import AudioSource
    from sipua.media.pcm import Resampler

__all__ = ["NullSink", "OggFile", "PcmCallback", "WavFile", "as_sink", "check_apart", "check_writable"]


def as_sink(value: object) -> AudioSink | None:
    """The sink that `value` means: a sink is itself, a path becomes a file by its ending, None is none."""
    if value is None or isinstance(value, AudioSink):
        return value
    if not isinstance(value, str | PathLike):
        raise ConfigurationError("record", value, "give a path, None, or a sink such as WavFile or OggFile")
    path = Path(value).expanduser()
    kinds: dict[str, type[_FileSink]] = {".wav": WavFile, ".ogg": OggFile, ".opus": OggFile}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise MediaFileError(path, "recordings are wav or ogg; give a name that ends in .wav or .ogg")
    return kind(path)


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


def check_apart(source: AudioSource | None, sink: AudioSink | None) -> None:
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
    """What both kinds of recording share: a path that is looked at early."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path).expanduser()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def check(self) -> None:
        """Raise MediaFileError now if the file could not be made."""
        check_writable(self.path)


class WavFile(_FileSink):
    """A 16 bit mono wav file at `rate` Hz (None: the rate of what comes first).

    The header is brought up to date about once a second, so what a crash leaves behind can be played to its
    last second. An existing file is replaced.
    """

    #: RIFF sizes are 32 bit; the limit leaves room for the header.
    MAX_DATA = 0xFFFF_FFFF - 64

    def __init__(self, path: str | PathLike[str], rate: int | None = None) -> None:
        super().__init__(path)
        self._rate = rate
        self._resampler: Resampler | None = None
        self._file: int | None = None
        self._pending = bytearray()
        self._written = 0

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
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            self._flush()
        except OSError as error:
            if self._file is not None:
                os.close(self._file)
                self._file = None
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
        if self._file is None:
            return
        try:
            if self._resampler is not None:
                self._pending += self._resampler.flush()
            self._flush()
        except OSError as error:
            raise self._failed(error) from None
        finally:
            os.close(self._file)
            self._file = None

    def _resample(self, pcm: bytes, rate: int) -> bytes:
        from sipua.media.pcm import Resampler

        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, self.rate)
        return self._resampler(pcm)

    def _flush(self) -> None:
        assert self._file is not None
        pending, self._pending = bytes(self._pending), bytearray()
        if self._written + len(pending) > self.MAX_DATA:
            raise OSError("a wav file cannot be longer than 4 GB")
        try:
            # pwrite at a known place: after a disk that was full, nothing is out of step.
            done = 0
            while done < len(pending):
                done += os.pwrite(self._file, pending[done:], _HEADER.size + self._written + done)
        finally:
            self._written += done & ~1
            os.pwrite(self._file, _wav_header(self.rate, self._written), 0)

    def _failed(self, error: OSError) -> MediaFileError:
        reason = error.strerror.lower() if error.strerror else str(error)
        kept = f"the first {self.seconds:.1f} s are kept" if self._written else "nothing was recorded"
        return MediaFileError(self.path, f"recording stopped: {reason}; {kept}")


_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def _wav_header(rate: int, data: int) -> bytes:
    return _HEADER.pack(
        b"RIFF", data + 36, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", data
    )  # fmt: skip


class OggFile(_FileSink):
    """An Opus file in ogg, 48 kHz mono. What a crash leaves behind can be played to its last half second."""

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)
        self._writer: OggWriter | None = None

    def open(self) -> None:
        """Make the file."""
        from sipua.media.files import OggWriter

        self.check()
        self._writer = OggWriter(self.path)

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

    def _failed(self, error: OSError) -> MediaFileError:
        reason = (error.strerror or str(error)).lower()
        kept = "; what was written is kept" if self._holds_sound() else "; nothing was recorded"
        return MediaFileError(self.path, f"recording stopped: {reason}{kept}")

    def _holds_sound(self) -> bool:
        from sipua.media.files import check_audio_file

        try:
            check_audio_file(self.path)
        except MediaFileError:
            return False
        return True
