"""The filters between two rates: lengths, what they let through, and that they add up."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.media.conference.resampling import ECHO_MEMORY, Down, Samples, Up, echo_filter, pcm_of, samples_of

FACTORS = (2, 3, 6)


def sine(frequency: float, rate: int, seconds: float = 1.0) -> Samples:
    return (10000 * np.sin(2 * np.pi * frequency / rate * np.arange(int(seconds * rate)))).astype(np.float32)


def in_frames(filter_: Up | Down, samples: Samples, size: int) -> Samples:
    frames = [filter_(samples[at : at + size]) for at in range(0, len(samples), size)]
    assert len({len(frame) for frame in frames}) == 1
    return np.concatenate(frames)


def amplitude(samples: Samples) -> float:
    return float(np.sqrt(2 * np.mean(samples[len(samples) // 4 :].astype(float) ** 2)))


@pytest.mark.parametrize("factor", FACTORS)
def test_the_band_of_speech_goes_through_both_ways(factor: int) -> None:
    for frequency in (100.0, 1000.0, 3000.0, 3400.0):
        up, down = Up(factor), Down(factor)
        high = in_frames(up, sine(frequency, 8000), 160)
        assert len(high) == 8000 * factor
        assert amplitude(high) == pytest.approx(10000, rel=0.05)
        low = in_frames(down, high, 160 * factor)
        assert len(low) == 8000
        assert amplitude(low) == pytest.approx(10000, rel=0.1)


@pytest.mark.parametrize("factor", FACTORS)
def test_what_the_low_rate_cannot_carry_is_left_out(factor: int) -> None:
    for frequency in (4700.0, 6000.0, 7500.0):
        low = in_frames(Down(factor), sine(frequency, 8000 * factor), 160 * factor)
        assert amplitude(low) < 30  # 50 dB down


@pytest.mark.parametrize("factor", FACTORS)
def test_no_mirror_images(factor: int) -> None:
    high = in_frames(Up(factor), sine(1000.0, 8000), 160)[2000:].astype(float)
    spectrum = np.abs(np.fft.rfft(high * np.hanning(len(high))))
    frequencies = np.fft.rfftfreq(len(high), 1 / (8000 * factor))
    images = spectrum[np.abs(frequencies - 1000) > 100]
    assert images.max() < spectrum.max() / 300


@pytest.mark.parametrize("factor", FACTORS)
def test_the_echo_is_what_comes_back(factor: int) -> None:
    said = np.random.default_rng(5).normal(0, 5000, 1600).astype(np.float32)
    up, down = Up(factor), Down(factor)
    back = np.concatenate([down(up(said[at : at + 160])) for at in range(0, 1600, 160)])
    known = np.concatenate([np.zeros(ECHO_MEMORY, np.float32), said])
    assert np.allclose(np.convolve(known, echo_filter(factor), "valid"), back, atol=0.05)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_sum_is_resampled_as_its_parts_are(factor: int) -> None:
    a, b = sine(300.0, 8000), sine(2000.0, 8000)
    together = in_frames(Up(factor), a + b, 160)
    assert np.allclose(together, in_frames(Up(factor), a, 160) + in_frames(Up(factor), b, 160), atol=0.05)


@pytest.mark.parametrize("kind", [Up, Down])
def test_it_rings_out(kind: type[Up | Down]) -> None:
    filter_ = kind(2)
    assert not filter_.ringing
    filter_(sine(300.0, 16000, 0.02))
    assert filter_.ringing
    filter_(np.zeros(320, np.float32))
    assert not filter_.ringing


def test_pcm_does_not_wrap() -> None:
    loud = np.array([40000.0, -40000.0, 1.4, -1.6, 32767.6], np.float32)
    assert pcm_of(loud).tolist() == [32767, -32768, 1, -2, 32767]
    assert samples_of(b"\xff\x7f\x00\x80").tolist() == [32767.0, -32768.0]
