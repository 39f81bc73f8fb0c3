"""The same sound, a period longer or shorter."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.media.engine.pitch import samples_of
from sipua.media.engine.stretch import compress, expand
from tests.media.engine.test_conceal import tone

RATES = pytest.mark.parametrize("rate", [8000, 16000, 48000])
CHANGES = pytest.mark.parametrize(("change", "sign"), [(expand, 1), (compress, -1)])


@RATES
@CHANGES
def test_one_period_of_a_voice_more_or_less(change: type, sign: int, rate: int) -> None:
    sound = tone(rate, 0.04, pitch=125.0)
    changed = change(sound, rate, round(0.015 * rate))
    assert len(changed) - len(sound) == sign * 2 * rate // 125
    # It is the same wave all the way.
    expected = samples_of(tone(rate, 0.08, pitch=125.0))[: len(changed) // 2]
    assert np.corrcoef(samples_of(changed), expected)[0, 1] > 0.999
    assert np.abs(np.diff(samples_of(changed))).max() < 1.1 * np.abs(np.diff(expected)).max()


@CHANGES
def test_the_first_and_the_last_samples_stay(change: type, sign: int) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(320)
    sound = (8000 * np.sin(2 * np.pi * t / 60) + rng.normal(0, 200, 320)).astype("<i2").tobytes()
    changed = change(sound, 8000, 120)
    assert changed != sound
    assert abs(samples_of(changed)[0] - samples_of(sound)[0]) < 300
    assert changed[-160:] == sound[-160:]


@CHANGES
def test_silence_changes_by_all_that_is_asked_for(change: type, sign: int) -> None:
    silence = np.random.default_rng(1).normal(0, 20, 320).astype("<i2").tobytes()
    for most in (1, 7, 100):
        assert len(change(silence, 8000, most)) == 640 + sign * 2 * most


@CHANGES
def test_what_is_not_alike_stays_unless_it_must_change(change: type, sign: int) -> None:
    noise = np.random.default_rng(3).normal(0, 3000, 320).astype("<i2").tobytes()
    assert change(noise, 8000, 30) == noise
    assert len(change(noise, 8000, 30, anyhow=True)) != 640


@CHANGES
@pytest.mark.parametrize("most", [-5, 0, 10])
def test_too_little_to_change(change: type, sign: int, most: int) -> None:
    sound = tone(8000, 0.02)
    assert change(sound, 8000, most) == sound
    assert change(b"", 8000, 100) == b""
    assert change(sound[:60], 8000, 100) == sound[:60]
