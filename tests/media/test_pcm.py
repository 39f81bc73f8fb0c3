"""PCM in bytes."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from sipua.media.pcm import Resampler, duration, frame_of, pcm_of, samples_per_frame, silence, time_base


def sine(frequency: float, rate: int, seconds: float) -> bytes:
    return bytes((8000 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype("<i2"))


def test_small_things() -> None:
    assert samples_per_frame(48000) == 960
    assert duration(bytes(320), 8000) == 0.02
    assert silence(3) == bytes(6)
    assert time_base(8000) == Fraction(1, 8000)


@pytest.mark.parametrize("samples", [1, 33, 160, 961])
def test_frames_keep_samples(samples: int) -> None:
    pcm = bytes(range(256)) * 10
    frame = frame_of(pcm[: 2 * samples], 8000, 4711)
    assert (frame.samples, frame.sample_rate, frame.pts) == (samples, 8000, 4711)
    assert pcm_of(frame) == pcm[: 2 * samples]


def test_channels_are_mixed_without_overflow() -> None:
    frame = av.AudioFrame(format="s16", layout="stereo", samples=4)
    frame.planes[0].update(
        np.array([[32767, 32767], [-32768, -32768], [100, -100], [7, 0]], dtype="<i2").tobytes()
    )
    assert list(np.frombuffer(pcm_of(frame), "<i2")) == [32767, -32768, 0, 3]


@pytest.mark.parametrize(
    ("source", "target"), [(8000, 48000), (48000, 8000), (16000, 24000), (44100, 8000), (8000, 8000)]
)
def test_resampling_keeps_length_and_tone(source: int, target: int) -> None:
    resampler = Resampler(source, target)
    pcm, step = sine(1000, source, 1.0), source // 50 * 2
    out = b"".join(resampler(pcm[i : i + step]) for i in range(0, len(pcm), step)) + resampler.flush()
    assert abs(len(out) / 2 - target) <= target // 500
    spectrum = abs(np.fft.rfft(np.frombuffer(out, "<i2")[:target]))
    assert abs(int(np.argmax(spectrum)) - 1000) <= 2


def test_nothing_gives_nothing() -> None:
    assert Resampler(8000, 16000)(b"") == b""
