"""Compressed audio through av: Opus in ogg, and mp3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import av

from sipua.errors import MediaFileError
from sipua.media.files import AV_ERRORS, reason_of
from sipua.media.pcm import SAMPLE_BYTES, Resampler

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EncodedWriter", "OggWriter"]

_CODECS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    # A page of ogg holds little, and one waits for the next: that bounds what a crash can lose.
    "ogg": ("libopus", {"page_duration": "200000"}, {"application": "audio", "compression_level": "1"}),
    # Without a first frame that is to be filled in at the end: a crash leaves nothing but good frames.
    "mp3": ("libmp3lame", {"write_xing": "0", "id3v2_version": "0"}, {"compression_level": "7"}),
}


class EncodedWriter:
    """Compressed audio at 48 kHz: Opus in `ogg`, or `mp3`. What a crash leaves can be played.

    PCM is interleaved when there are two channels. What has been encoded goes to disk at once.
    """

    RATE = 48000

    def __init__(self, path: Path, kind: str, channels: int = 1) -> None:
        self._layout = "stereo" if channels == 2 else "mono"
        self._channels = channels
        self._samples = 0
        self._pending = bytearray()
        name, container_options, options = _CODECS[kind]
        try:
            self._container = av.open(
                str(path), "w", format=kind, options={"flush_packets": "1", **container_options}
            )
            self._stream = cast("Any", self._container.add_stream(name, rate=self.RATE, layout=self._layout))
            self._stream.bit_rate = 48000 * channels
            self._stream.options = options
            self._container.start_encoding()
            self._to_format = av.AudioResampler(
                format=self._stream.codec_context.format, layout=self._layout, rate=self.RATE
            )
        except AV_ERRORS as error:
            raise MediaFileError(path, f"cannot be written ({reason_of(error)})") from None

    def write(self, pcm: bytes) -> None:
        """Append PCM at `RATE`."""
        # Encoders take frames of a fixed size.
        self._pending += pcm
        size = (self._stream.codec_context.frame_size or 960) * SAMPLE_BYTES * self._channels
        whole = len(self._pending) // size * size
        for start in range(0, whole, size):
            self._encode(bytes(self._pending[start : start + size]))
        del self._pending[:whole]

    def close(self) -> None:
        """Write the rest and the end of the file."""
        try:
            if self._pending:
                self._encode(bytes(self._pending))
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _encode(self, pcm: bytes) -> None:
        samples = len(pcm) // (SAMPLE_BYTES * self._channels)
        frame = av.AudioFrame(format="s16", layout=self._layout, samples=samples)
        plane = frame.planes[0]
        plane.update(pcm + bytes(plane.buffer_size - len(pcm)))
        frame.sample_rate = self.RATE
        frame.pts = self._samples
        self._samples += samples
        for part in self._to_format.resample(frame):
            self._container.mux(self._stream.encode(part))


class OggWriter:
    """Sound of one side at rates that may change, compressed."""

    def __init__(self, path: Path, kind: str = "ogg") -> None:
        self._writer = EncodedWriter(path, kind)
        self._resampler: Resampler | None = None

    def write(self, pcm: bytes, rate: int) -> None:
        """Append PCM at `rate` Hz."""
        if self._resampler is None or self._resampler.source_rate != rate:
            self._resampler = Resampler(rate, EncodedWriter.RATE)
        self._encode(self._resampler(pcm))

    def close(self) -> None:
        """Write the rest and the end of the file."""
        try:
            if self._resampler is not None:
                self._encode(self._resampler.flush())
        finally:
            self._writer.close()

    def _encode(self, pcm: bytes) -> None:
        if pcm:
            self._writer.write(pcm)
