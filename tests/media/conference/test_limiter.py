"""The limiter: what is too loud is turned down, and up again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.conference.limiter import Limiter, glide


def sine(peak: float, frame: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    at = np.arange(160 * frame, 160 * frame + 160)
    return (peak * np.sin(2 * np.pi * 500 / 8000 * at)).astype(np.float32)


def test_what_fits_is_left_as_it_is() -> None:
    limiter = Limiter()
    for peak in (0.0, 1000.0, 32767.0):
        samples = sine(peak)
        before = samples.copy()
        limiter.look(float(np.abs(samples).max()))
        limiter(samples)
        assert (samples == before).all()


def test_it_is_down_at_once_and_up_slowly() -> None:
    limiter = Limiter()
    limiter.look(100000.0)
    assert limiter.gain < 0.33
    gains = []
    for _ in range(100):
        limiter.look(1000.0)
        gains.append(limiter.gain)
    assert gains == sorted(gains)
    assert gains[10] < 0.5
    assert gains[-1] == 1.0


@given(st.lists(st.floats(0.0, 2_000_000.0), min_size=1, max_size=30))
def test_nothing_is_beyond_full_scale(peaks: list[float]) -> None:
    limiter, last = Limiter(), 0.0
    for frame, peak in enumerate(peaks):
        rows = np.stack([sine(peak, frame), -sine(peak / 2, frame)])
        limiter.look(float(np.abs(rows).max()))
        limiter(rows)
        assert np.abs(rows).max() <= 32767.01
        # No jump between two frames but that of the sound itself.
        assert abs(rows[0][0] - last) <= 32767.01
        last = float(rows[0][-1])


def test_a_loud_sum_keeps_its_shape() -> None:
    limiter = Limiter()
    out = []
    for frame in range(50):
        samples = sine(100000.0, frame)
        limiter.look(float(np.abs(samples).max()))
        limiter(samples)
        out.append(samples)
    settled = np.concatenate(out[10:])
    spectrum = np.abs(np.fft.rfft(settled))
    tone = int(np.argmax(spectrum))
    assert spectrum[2 * tone : 20 * tone].max() < spectrum[tone] / 100
    assert np.abs(settled).max() > 28000


def test_glides() -> None:
    for size in (160, 320, 960):
        way = glide(size)
        assert len(way) == size
        assert way[0] > 0
        assert way[-1] == 1.0
        assert np.diff(way).max() <= 4.1 / size
