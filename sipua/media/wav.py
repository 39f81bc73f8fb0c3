"""Wav files as they are written: good to play at any moment, whatever happens next, and of any length."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEADER_SIZE", "WavWriter"]

_HEADER = struct.Struct("<4sI4s 4sI28s 4sIHHIIHH 4sI")
_DS64 = struct.Struct("<QQQI")
#: Bytes before the sound.
HEADER_SIZE = _HEADER.size
_MANY = 0xFFFFFFFF


class WavWriter:
    """16 bit PCM with one or two channels. Nothing is buffered here; `write` may block, and raises OSError.

    The header is brought up to date with each write. Beyond 4 GB the file is an RF64 (EBU Tech 3306), for which the
    header keeps room from the beginning.
    """

    #: Bytes of sound beyond which 32 bits do not do.
    MAX_RIFF = _MANY - HEADER_SIZE

    def __init__(self, path: Path, rate: int, channels: int = 1) -> None:
        self.rate = rate
        """Of the file in Hz; may be set before anything was written."""
        self.written = 0
        """Bytes of sound."""
        self._channels = channels
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            self._write_header()
        except OSError:
            if stat.S_ISREG(os.fstat(self._file).st_mode):
                os.unlink(os.path.realpath(path))  # nothing could play it
            os.close(self._file)
            raise

    @property
    def seconds(self) -> float:
        """Written so far."""
        return self.written / (2 * self._channels * self.rate)

    def write(self, pcm: bytes) -> None:
        """Append it, interleaved."""
        block = 2 * self._channels
        done = 0
        try:
            # pwrite at a known place: after a disk that was full, nothing is out of step.
            while done < len(pcm):
                done += os.pwrite(self._file, pcm[done:], HEADER_SIZE + self.written + done)
        finally:
            self.written += done - done % block
            self._write_header()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write_header(self) -> None:
        size, block = self.written, 2 * self._channels
        long = size > self.MAX_RIFF
        sizes = _DS64.pack(size + HEADER_SIZE - 8, size, size // block, 0) if long else bytes(_DS64.size)
        header = _HEADER.pack(
            *(b"RF64" if long else b"RIFF", _MANY if long else size + HEADER_SIZE - 8, b"WAVE"),
            *(b"ds64" if long else b"JUNK", _DS64.size, sizes),
            *(b"fmt ", 16, 1, self._channels, self.rate, block * self.rate, block, 16),
            *(b"data", _MANY if long else size),
        )
        if os.pwrite(self._file, header, 0) < len(header):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
