"""A gap sounds like what was before it, then softer, then not at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sipua.media.engine.conceal import Concealer
from sipua.media.engine.pitch import best_offset, pcm_bytes, samples_of

RATES = pytest.mark.parametrize("rate", [8000, 16000, 48000])


def tone(rate: int, seconds: float, pitch: float = 120.0, start: float = 0.0) -> bytes:
    t = start + np.arange(round(seconds * rate)) / rate
    return pcm_bytes(
        sum(np.sin(2 * np.pi * k * pitch * t + k) / k for k in range(1, 8)).astype(np.float32) * 6000
    )


@RATES
def test_a_periodic_sound_goes_on_as_it_would_have(rate: int) -> None:
    concealer = Concealer(rate)
    concealer.begin(tone(rate, 0.06))
    made = samples_of(concealer.take(rate // 100))
    real = samples_of(tone(rate, 0.01, start=0.06))
    assert np.corrcoef(made, real)[0, 1] > 0.99
    assert concealer.active


@RATES
def test_it_gets_softer_after_10_ms_and_ends_after_60(rate: int) -> None:
    concealer = Concealer(rate)
    concealer.begin(tone(rate, 0.06))
    levels = [np.sqrt(np.mean(samples_of(concealer.take(rate // 100)) ** 2)) for _ in range(8)]
    assert levels[0] > 0.9 * np.sqrt(np.mean(samples_of(tone(rate, 0.06)) ** 2))
    assert all(earlier > later for earlier, later in pairwise(levels[:6]))
    assert levels[6] == levels[7] == 0


@RATES
@pytest.mark.parametrize("lost", [0.02, 0.04])
def test_both_seams_are_smooth(rate: int, lost: float) -> None:
    before, after = tone(rate, 0.06), tone(rate, 0.02, start=0.06 + lost)
    concealer = Concealer(rate)
    concealer.begin(before)
    whole = before + concealer.take(round(lost * rate)) + concealer.merge(after)
    steps = np.abs(np.diff(samples_of(whole)))
    assert steps.max() < 1.25 * np.abs(np.diff(samples_of(before))).max()
    assert not concealer.active


def test_what_comes_after_the_overlap_is_untouched() -> None:
    concealer = Concealer(8000)
    concealer.begin(tone(8000, 0.06))
    concealer.take(160)
    after = tone(8000, 0.02)
    merged = concealer.merge(after)
    assert len(merged) == len(after)
    # 4 ms, and 4 for each 10 ms more than 10.
    assert merged[:128] != after[:128]
    assert merged[128:] == after[128:]


@pytest.mark.parametrize(
    "history", [b"", bytes(960), tone(8000, 0.01)], ids=["nothing", "silence", "too little"]
)
def test_from_nothing_comes_silence(history: bytes) -> None:
    concealer = Concealer(8000)
    concealer.begin(history)
    assert concealer.take(160) == bytes(320)
    assert len(concealer.merge(tone(8000, 0.02))) == 320


def test_without_a_gap_nothing_is_merged() -> None:
    assert Concealer(8000).merge(b"\1\0" * 160) == b"\1\0" * 160
    concealer = Concealer(8000)
    concealer.begin(tone(8000, 0.06))
    assert concealer.merge(b"") == b""


def test_noise_and_full_scale_stay_in_range() -> None:
    rng = np.random.default_rng(2)
    history = pcm_bytes((rng.choice([-32768, 32767], 480)).astype(np.float32))
    concealer = Concealer(8000)
    concealer.begin(history)
    assert np.abs(samples_of(concealer.take(80))).max() > 10000


@RATES
def test_the_pitch_is_found_to_the_sample(rate: int) -> None:
    sound = samples_of(tone(rate, 0.06, pitch=100.0))
    pattern, shortest = sound[: rate // 200], rate // 400
    offset, likeness = best_offset(pattern, sound[shortest : round(0.015 * rate) + len(pattern)], rate)
    assert shortest + offset == rate // 100
    assert likeness > 0.999
