"""Comparing audio."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from sipua.media.analysis import correlate, detect_tones, level, load
from sipua.media.files import decode_file
from tests.media.calls import SPEECH

RNG = np.random.default_rng(1)


def speech() -> np.ndarray:
    return load(SPEECH)


@pytest.mark.parametrize("delay", [0.0, 0.0125, 0.2, 3.0])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_delay_and_correlation(delay: float, gain: float) -> None:
    recorded = np.concatenate([np.zeros(round(delay * 8000)), gain * speech(), np.zeros(4000)])
    match = correlate(SPEECH, recorded)
    assert match.delay == pytest.approx(delay, abs=0.0002)
    assert match.correlation > 0.999
    assert match.slips == 0


def test_a_recording_that_began_late() -> None:
    match = correlate(SPEECH, speech()[4000:])
    assert match.delay == -0.5
    assert 0.9 < match.correlation < 1


def test_something_else_is_not_taken_for_it() -> None:
    noise = RNG.normal(0, 0.1, 60000)
    assert abs(correlate(SPEECH, noise).correlation) < 0.2
    assert abs(correlate(SPEECH, speech()[::-1].copy()).correlation) < 0.4


def test_noise_lowers_it() -> None:
    noisy = speech() + RNG.normal(0, float(np.std(speech())), len(speech()))
    assert 0.6 < correlate(SPEECH, noisy).correlation < 0.8


def test_half_of_it() -> None:
    half = speech()
    half[len(half) // 2 :] = 0
    assert 0.4 < correlate(SPEECH, half).correlation < 0.95


def test_a_slip_of_one_frame_is_counted_and_forgiven() -> None:
    samples = speech()
    slipped = np.concatenate([samples[:16000], np.zeros(160), samples[16000:]])
    match = correlate(SPEECH, slipped)
    assert match.correlation > 0.99
    assert 4 <= match.slips <= 7


@pytest.mark.parametrize("empty", [np.zeros(0), np.zeros(8000), np.full(8000, 0.5)])
def test_silence_matches_nothing(empty: np.ndarray) -> None:
    assert correlate(SPEECH, empty).correlation == 0
    assert correlate(empty, SPEECH).correlation == 0


def test_files_pcm_and_arrays_are_the_same(tmp_path: Path) -> None:
    pcm = decode_file(SPEECH, 8000)
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(pcm)
    for audio in (path, str(path), pcm, np.frombuffer(pcm, "<i2")):
        assert correlate(SPEECH, audio).correlation > 0.999


def test_level() -> None:
    assert level(np.zeros(100)) == -127
    assert level(np.ones(100)) == 0
    assert level(np.sin(np.arange(8000))) == pytest.approx(-3.01, abs=0.01)


def test_tones() -> None:
    time = np.arange(8000) / 8000
    both = np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time)
    assert detect_tones(both, [697, 770, 852, 941, 1209, 1336, 1477]) == [770, 1336]
    assert detect_tones(np.zeros(100), [770]) == []
    assert detect_tones(RNG.normal(0, 1, 8000), [770, 1336]) == []
