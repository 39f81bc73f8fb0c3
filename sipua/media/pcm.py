"""PCM in bytes: little-endian signed 16 bit, one channel. Resampling and the way to and from av's frames."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

__all__ = [
    "FRAME_DURATION",
    "SAMPLE_BYTES",
    "Resampler",
    "duration",
    "frame_of",
    "pcm_of",
    "samples_per_frame",
    "silence",
    "time_base",
]

#: Seconds of audio in one packet and in one step of everything here.
FRAME_DURATION = 0.02
SAMPLE_BYTES = 2


def samples_per_frame(rate: int) -> int:
    """Samples in 20 ms."""
    return rate // 50


def duration(pcm: bytes | bytearray, rate: int) -> float:
    """Seconds."""
    return len(pcm) / (SAMPLE_BYTES * rate)


@lru_cache(maxsize=16)
def silence(samples: int) -> bytes:
    """So many samples of nothing."""
    return bytes(SAMPLE_BYTES * samples)


@lru_cache(maxsize=16)
def time_base(rate: int) -> Fraction:
    """One sample, in seconds."""
    return Fraction(1, rate)


def frame_of(pcm: bytes, rate: int, pts: int | None = None) -> av.AudioFrame:
    """An av frame that holds `pcm`."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // SAMPLE_BYTES)
    plane = frame.planes[0]
    # av pads planes to its own alignment; what is beyond the samples is never looked at.
    plane.update(pcm if plane.buffer_size == len(pcm) else pcm + bytes(plane.buffer_size - len(pcm)))
    frame.sample_rate = rate
    frame.pts = pts
    frame.time_base = time_base(rate)
    return frame


def pcm_of(frame: av.AudioFrame) -> bytes:
    """The samples of a packed 16 bit frame, its channels mixed into one."""
    channels = frame.layout.nb_channels
    data = bytes(frame.planes[0])[: frame.samples * channels * SAMPLE_BYTES]
    if channels == 1:
        return data
    total = np.frombuffer(data, dtype="<i2").reshape(-1, channels).sum(axis=1, dtype=np.int32)
    return bytes((total // channels).astype("<i2"))


class Resampler:
    """A stream of PCM from one rate to another. Holds back two milliseconds at most until `flush`."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self.source_rate = source_rate
        self.target_rate = target_rate
        self._resampler = (
            None
            if source_rate == target_rate
            else av.AudioResampler(format="s16", layout="mono", rate=target_rate)
        )

    def __call__(self, pcm: bytes) -> bytes:
        """The next PCM at the target rate; may be a little shorter or longer than what went in."""
        if self._resampler is None:
            return pcm
        if not pcm:
            return b""
        return b"".join(map(pcm_of, self._resampler.resample(frame_of(pcm, self.source_rate))))

    def flush(self) -> bytes:
        """What was held back. The stream is over then."""
        if self._resampler is None:
            return b""
        return b"".join(map(pcm_of, self._resampler.resample(None)))
