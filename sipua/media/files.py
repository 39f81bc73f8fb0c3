"""Audio files through av: decoding anything it can read, encoding ogg."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import av

from sipua.errors import MediaFileError
from sipua.media.interface import PcmStream
from sipua.media.pcm import SAMPLE_BYTES, Resampler, frame_of, pcm_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FileStream", "OggWriter", "check_audio_file", "decode_file"]

# What av raises for something it cannot work with: its own errors are OSError or ValueError besides.
_AV_ERRORS = (av.FFmpegError, OSError, ValueError)


def check_audio_file(path: Path) -> None:
    """Raise MediaFileError unless the first samples of this file can be decoded."""
    with _decoder(path, None) as frames:
        if next(frames, None) is None:
            raise MediaFileError(path, "holds no sound; give a file with at least one audio sample")


def decode_file(path: Path, rate: int) -> bytes:
    """The whole file as PCM at `rate` Hz."""
    with _decoder(path, rate) as frames:
        return b"".join(map(pcm_of, frames))


class FileStream(PcmStream):
    """A file being played. Decodes a little ahead of what is asked for and no more."""

    def __init__(self, path: Path, rate: int, *, loop: bool = False) -> None:
        self._path = path
        self._rate = rate
        self._loop = loop
        self._buffer = bytearray()
        self._open()

    def read(self, samples: int) -> bytes:
        """The next samples; from the beginning again at the end of a looping file."""
        wanted = samples * SAMPLE_BYTES
        rewound = False
        while len(self._buffer) < wanted:
            frame = next(self._frames, None)
            if frame is not None:
                self._buffer += pcm_of(frame)
                rewound = False
            elif self._loop and not rewound:
                self.close()
                self._open()
                rewound = True
            else:
                break
        chunk = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._context.__exit__(None, None, None)

    def _open(self) -> None:
        self._context = _decoder(self._path, self._rate)
        self._frames = self._context.__enter__()


@contextmanager
def _decoder(path: Path, rate: int | None) -> Iterator[Iterator[av.AudioFrame]]:
    """The frames of a file's first audio stream, as s16 mono at `rate` (None: as they are)."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise MediaFileError(path, f"{_reason(error)}; check the path") from None
    if not stat.S_ISREG(mode):
        # Opening a pipe or a device would block, a directory has no sound.
        raise MediaFileError(path, "is not a regular file; give the path of an audio file")
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except PermissionError as error:
        raise MediaFileError(path, f"{_reason(error)}; make it readable") from None
    except _AV_ERRORS as error:
        raise MediaFileError(path, f"not an audio file ({_reason(error)}); {_FORMATS}") from None
    with container:
        if not container.streams.audio:
            raise MediaFileError(path, f"has no audio in it; {_FORMATS}")
        yield _frames(path, container, rate)


_FORMATS = "give a wav, ogg, mp3 or any other file that ffmpeg decodes"


def _frames(path: Path, container: Any, rate: int | None) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate) if rate is not None else None
    bad = 0
    good = 0
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
            for frame in packet.decode():
                good += 1
                if resampler is None:
                    yield frame
                    continue
                # Time stamps in files have gaps and start anywhere; what is played is the samples.
                frame.pts = None
                yield from resampler.resample(frame)
        except StopIteration:
            break
        except _AV_ERRORS as error:
            # One damaged packet is left out; a file that is nothing else is an error.
            bad += 1
            if not good and bad > 8:
                raise MediaFileError(path, f"cannot be decoded ({_reason(error)}); {_FORMATS}") from None
            if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
                raise MediaFileError(path, f"{_reason(error)} while reading") from None
    if not good and bad:
        raise MediaFileError(path, f"cannot be decoded; {_FORMATS}")
    if resampler is not None and good:
        yield from resampler.resample(None)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


class OggWriter:
    """Opus in ogg, 48 kHz mono. Pages go to disk as they fill, so what a crash leaves can be played."""

    RATE = 48000

    def __init__(self, path: Path) -> None:
        self._path = path
        self._resampler: Resampler | None = None
        self._samples = 0
        try:
            # A page holds half a second at most, which bounds what a crash can lose.
            self._container = av.open(
                str(path), "w", format="ogg", options={"page_duration": "500000", "flush_packets": "1"}
            )
            self._stream = cast("Any", self._container.add_stream("libopus", rate=self.RATE, layout="mono"))
            self._stream.bit_rate = 48000
            self._stream.options = {"application": "audio", "compression_level": "5"}
            self._container.start_encoding()
        except _AV_ERRORS as error:
            raise MediaFileError(path, f"cannot be written ({_reason(error)})") from None

    def write(self, pcm: bytes, rate: int) -> None:
        """Append PCM at `rate` Hz."""
        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, self.RATE)
        self._encode(self._resampler(pcm))

    def close(self) -> None:
        """Write the rest and the end of the file."""
        try:
            if self._resampler is not None:
                self._encode(self._resampler.flush())
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _encode(self, pcm: bytes) -> None:
        if not pcm:
            return
        frame = frame_of(pcm, self.RATE, self._samples)
        self._samples += frame.samples
        self._container.mux(self._stream.encode(frame))
