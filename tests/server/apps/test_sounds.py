"""The generated music: right length, right notes, no clicks."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.media.analysis import detect_tones, level
from sipua.server.apps.sounds import RATE, TUNE_SECONDS, frequency, music, tune


@pytest.mark.parametrize(("note", "hertz"), [("A4", 440.0), ("A5", 880.0), ("C4", 261.626), ("E3", 164.814)])
def test_notes(note: str, hertz: float) -> None:
    assert frequency(note) == pytest.approx(hertz, rel=1e-5)


def test_the_tune_ends() -> None:
    stream = tune().open(RATE)
    pcm = b"".join(iter(lambda: stream.read(320), b""))
    assert len(pcm) / 2 / RATE == pytest.approx(TUNE_SECONDS, abs=0.02)
    assert TUNE_SECONDS < 6
    assert -40 < level(pcm) < -10
    samples = np.frombuffer(pcm, dtype="<i2").astype(int)
    assert abs(samples).max() < 32000
    assert abs(np.diff(samples)).max() < 8000  # no clicks
    assert samples[0] == 0
    assert abs(samples[-1]) < 100
    first = pcm[: RATE // 2]  # a quarter of a second of the first note, E4
    assert detect_tones(first, [frequency("E4"), frequency("F4")], rate=RATE) == [frequency("E4")]


def test_the_music_does_not() -> None:
    stream = music().open(RATE)
    minute = [stream.read(RATE) for _ in range(60)]
    assert {len(second) for second in minute} == {2 * RATE}
    assert min(map(level, minute)) > -45
