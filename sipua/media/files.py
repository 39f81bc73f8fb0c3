"""Audio files through av: decoding anything it can read."""

from __future__ import annotations

import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import av

from sipua.errors import MediaFileError
from sipua.media.interface import PcmStream
from sipua.media.pcm import SAMPLE_BYTES, pcm_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["AV_ERRORS", "FileStream", "check_audio_file", "decode_file", "keep_if_playable", "reason_of"]

#: What av raises for something it cannot work with: its own errors are OSError or ValueError besides.
AV_ERRORS = (av.FFmpegError, OSError, ValueError)


def check_audio_file(path: Path) -> None:
    """Raise MediaFileError unless the first samples of this file can be decoded."""
    with _opened(path) as container:
        if next(_frames(path, container), None) is None:
            raise MediaFileError(path, "holds no sound; give a file with at least one audio sample")


def keep_if_playable(path: Path) -> bool:
    """Of a file that could not be written to its end: whether there is sound in it. If not, it is removed."""
    try:
        check_audio_file(path)
    except MediaFileError:
        if path.is_file():  # not a device
            with suppress(OSError):
                path.resolve().unlink()
        return False
    return True


def decode_file(path: Path, rate: int) -> bytes:
    """The whole file as PCM at `rate` Hz."""
    stream = FileStream(path, rate)
    try:
        return b"".join(iter(lambda: stream.read(rate), b""))
    finally:
        stream.close()


class FileStream(PcmStream):
    """A file being played, `plays` times in all (None: for ever). Decodes what is asked for and no more.

    From one time to the next there is no gap, and none between the frames of the resampler.
    """

    def __init__(self, path: Path, rate: int, *, plays: int | None = 1) -> None:
        self._path = path
        self._rate = rate
        self._plays = plays
        self._left = plays
        self._buffer = bytearray()
        self._resampler: Any = _resampler(rate)
        self._kind: tuple[str, str, int] | None = None  # of what it was given
        self._frames: Iterator[av.AudioFrame]
        self._short: list[av.AudioFrame] | None
        self._enter()
        stream = self._container.streams.audio[0]
        self._start = float(stream.start_time * stream.time_base) if stream.start_time else 0.0
        length = self._container.duration
        self._duration: float | None = length / av.time_base if length else None

    def read(self, samples: int) -> bytes:
        """The next samples; from the beginning again at the end of a looping file."""
        wanted = samples * SAMPLE_BYTES
        rewound = False
        while len(self._buffer) < wanted:
            frame = next(self._frames, None)
            if frame is not None:
                self._keep(frame)
                self._append(frame)
                rewound = False
            elif self._resampler is None:
                break
            elif self._more() and not rewound:
                if self._short:
                    self._frames, self._from_disk = iter(tuple(self._short)), False
                else:
                    self._reopen()
                rewound = True
            else:
                self._buffer += b"".join(map(pcm_of, self._resampler.resample(None)))
                self._resampler = None
        chunk = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return chunk

    @property
    def duration(self) -> float | None:
        """As the file says."""
        return self._duration

    def seek(self, seconds: float) -> None:
        """Go on there, to the sample where the format allows it."""
        self._left = self._plays
        self._reopen()
        self._short = None
        self._buffer.clear()
        self._resampler, self._kind = _resampler(self._rate), None
        if seconds <= 0:
            return
        try:
            # A little before, as decoders of compressed sound need to get into step.
            self._container.seek(round(max(0.0, seconds - _RUN_UP) * av.time_base))
        except AV_ERRORS as error:
            raise MediaFileError(self._path, f"cannot be sought in ({reason_of(error)})") from None
        self._skip(seconds)

    def close(self) -> None:
        """Close the file."""
        self._context.__exit__(None, None, None)

    def _skip(self, seconds: float) -> None:
        for frame in self._frames:
            begin = (frame.time or 0.0) - self._start
            if begin + frame.samples / frame.sample_rate <= seconds:
                continue
            self._append(frame)
            surplus = max(0, round((seconds - begin) * self._rate)) * SAMPLE_BYTES
            del self._buffer[:surplus]
            return

    def _keep(self, frame: av.AudioFrame) -> None:
        """For the next time, what is so short that opening it as often would take longer than playing it."""
        if self._short is None or not self._from_disk:
            return
        self._short.append(frame)
        self._seconds += frame.samples / frame.sample_rate
        if self._seconds > _SHORT:
            self._short = None

    def _append(self, frame: av.AudioFrame) -> None:
        assert self._resampler is not None
        # Time stamps in files have gaps and start anywhere; what is played is the samples.
        frame.pts = None
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        try:
            if kind != self._kind and self._kind is not None:  # files that were put one behind the other
                self._buffer += b"".join(map(pcm_of, self._resampler.resample(None)))
                self._resampler = _resampler(self._rate)
            self._kind = kind
            for part in self._resampler.resample(frame):
                self._buffer += pcm_of(part)
        except AV_ERRORS as error:
            raise MediaFileError(self._path, f"cannot be played ({reason_of(error)})") from None

    def _more(self) -> bool:
        if self._left is None:
            return True
        self._left -= 1
        return self._left > 0

    def _reopen(self) -> None:
        self.close()
        self._enter()

    def _enter(self) -> None:
        self._context = _opened(self._path)
        self._container = self._context.__enter__()
        self._frames = _frames(self._path, self._container)
        self._from_disk = True
        self._short = [] if self._plays != 1 else None
        self._seconds = 0.0


# Seconds of a file that is kept when it is played over and over.
_SHORT = 1.0

# Seconds that are decoded before the place that is sought.
_RUN_UP = 0.2


def _resampler(rate: int) -> Any:
    return av.AudioResampler(format="s16", layout="mono", rate=rate)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The container of a file that has audio in it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise MediaFileError(path, f"{reason_of(error)}; check the path") from None
    if not stat.S_ISREG(mode):
        # Opening a pipe or a device would block, a directory has no sound.
        raise MediaFileError(path, "is not a regular file; give the path of an audio file")
    with _probed(path) as container:
        if not container.streams.audio:
            raise MediaFileError(path, f"has no audio in it; {_FORMATS}")
        rate = _rate_of(container.streams.audio[0])
        if rate not in _RATES:
            what = f"a sample rate of {rate} Hz" if rate else "audio of an unknown kind"
            raise MediaFileError(path, f"has {what}; {_FORMATS}")
        yield container


def _probed(path: Path) -> Any:
    # A wav file of any length is told by its first bytes; by default ffmpeg looks for other things in it for 10 ms and
    # more. What cannot be told so quickly is looked at in full.
    reason = ""
    for options in ({"probesize": "16384"}, {}):
        try:
            container = av.open(str(path), metadata_errors="ignore", options=options)
        except PermissionError as error:
            raise MediaFileError(path, f"{reason_of(error)}; make it readable") from None
        except AV_ERRORS as error:
            reason = reason_of(error)
            continue
        if not options or any(map(_rate_of, container.streams.audio)):
            return container
        container.close()
    raise MediaFileError(path, f"not an audio file ({reason}); {_FORMATS}")


def _rate_of(stream: Any) -> int:
    """In Hz; 0 when it is not known."""
    return (stream.codec_context.sample_rate or 0) if stream.codec_context is not None else 0


# To and from others, a damaged file, resampling takes seconds or a gigabyte.
_RATES = range(1000, 768_001)

_FORMATS = "give a wav, ogg, mp3 or any other file that ffmpeg decodes"


def _frames(path: Path, container: Any) -> Iterator[av.AudioFrame]:
    """The frames of the first audio stream."""
    bad = 0
    good = 0
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
            for frame in packet.decode():
                good += 1
                yield frame
        except StopIteration:
            break
        except AV_ERRORS as error:
            # One damaged packet is left out; a file that is nothing else is an error.
            bad += 1
            if not good and bad > 8:
                raise MediaFileError(path, f"cannot be decoded ({reason_of(error)}); {_FORMATS}") from None
            if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
                raise MediaFileError(path, f"{reason_of(error)} while reading") from None
    if not good and bad:
        raise MediaFileError(path, f"cannot be decoded; {_FORMATS}")


def reason_of(error: Exception) -> str:
    """What av or the operating system says, in small letters."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
