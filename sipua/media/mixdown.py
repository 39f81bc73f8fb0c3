"""From both sides of a call to one file. Runs in a thread: it may block."""

from __future__ import annotations

import contextlib
from itertools import groupby, islice
from typing import TYPE_CHECKING

import numpy as np

from sipua.media.claims import claimed, release
from sipua.media.encoding import EncodedWriter
from sipua.media.files import keep_if_playable
from sipua.media.pcm import SAMPLE_BYTES, Resampler
from sipua.media.wav import WavWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sipua.media.recording import RecordingMode, Tick

__all__ = ["Mixdown"]

# Ticks, of 20 ms, or of a second where time is missing.
_AT_ONCE = 50


class Mixdown:
    """A file of `kind` wav, ogg or mp3. Raises OSError for what the disk does not do, MediaFileError for one in use."""

    def __init__(self, path: Path, kind: str, mode: RecordingMode, rate: int | None) -> None:
        channels = 2 if mode == "stereo" else 1
        self._mode = mode
        self._rate = rate if kind == "wav" else EncodedWriter.RATE
        self._sides = _Side(), _Side()
        self._frame = channels * SAMPLE_BYTES
        self._bytes = 0
        self.closed = False
        """Whether it is complete, or cannot be."""
        self._file: WavWriter | EncodedWriter
        self._path = path
        with claimed(path, self):
            if kind == "wav":
                self._file = WavWriter(path, rate or 8000, channels)
            else:
                self._file = EncodedWriter(path, kind, channels)

    @property
    def seconds(self) -> float:
        """Written so far."""
        return self._bytes / (self._frame * self._rate) if self._rate else 0.0

    def write(self, ticks: Iterable[Tick], *, last: bool = False) -> None:
        """Append them; after the `last` the file is complete. What fails leaves no file without sound."""
        try:
            for rates, group in groupby(ticks, key=lambda tick: (tick[1], tick[3])):
                while some := list(islice(group, _AT_ONCE)):
                    self._append(some, *rates)
            if last:
                self._put(*(side.flush() for side in self._sides))
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong first is told
                self._close(failed=True)
            raise
        if last:
            self._close()

    def _close(self, *, failed: bool = False) -> None:
        if self.closed:
            return
        self.closed = True
        try:
            self._file.close()
        except BaseException:
            failed = True
            raise
        finally:
            if failed:
                keep_if_playable(self._path)
            release(self._path, self)

    def _append(self, ticks: list[Tick], heard_rate: int, said_rate: int) -> None:
        if self._rate is None:
            rates = {"remote": heard_rate, "local": said_rate}
            self._rate = rates.get(self._mode) or max(heard_rate, said_rate)
        if self._bytes == 0 and isinstance(self._file, WavWriter):
            self._file.rate = self._rate
        heard, said = self._sides
        if self._mode != "local":
            heard.add(b"".join(tick[0] for tick in ticks), heard_rate, self._rate)
        if self._mode != "remote":
            said.add(b"".join(tick[2] for tick in ticks), said_rate, self._rate)
        ready = min(len(heard.pcm), len(said.pcm)) if self._frame > 2 or self._mode == "mixed" else None
        self._put(heard.cut(ready), said.cut(ready))

    def _put(self, heard: bytes, said: bytes) -> None:
        if self._mode in ("remote", "local"):
            pcm = heard or said
        else:
            # At the very end one side may be a sample longer.
            size = max(len(heard), len(said))
            left = np.frombuffer(heard.ljust(size, b"\0"), "<i2")
            right = np.frombuffer(said.ljust(size, b"\0"), "<i2")
            if self._mode == "stereo":
                pcm = np.column_stack((left, right)).tobytes()
            else:
                both = np.clip(left.astype(np.int32) + right, -32768, 32767)
                pcm = both.astype("<i2").tobytes()
        if not pcm:
            return
        if isinstance(self._file, WavWriter):
            try:
                self._file.write(pcm)
            finally:
                self._bytes = self._file.written
        else:
            self._file.write(pcm)
            self._bytes += len(pcm)


class _Side:
    """What one side said, at the rate of the file."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self._resampler: Resampler | None = None

    def add(self, pcm: bytes, rate: int, wanted: int) -> None:
        if self._resampler is None or self._resampler.source_rate != rate:
            self._finish()
            self._resampler = Resampler(rate, wanted)
        self.pcm += self._resampler(pcm)

    def cut(self, size: int | None) -> bytes:
        pcm = bytes(self.pcm[:size])
        del self.pcm[: len(pcm)]
        return pcm

    def flush(self) -> bytes:
        self._finish()
        return self.cut(None)

    def _finish(self) -> None:
        if self._resampler is not None:
            self.pcm += self._resampler.flush()
            self._resampler = None
