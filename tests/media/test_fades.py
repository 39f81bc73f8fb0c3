"""Joins: no click where sound changes, and not a bit changed where it goes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.fades import Gain, amplify, fade_in, fade_out, fade_samples, join, ratio
from sipua.media.sources import Tone

RATES = st.sampled_from([8000, 16000, 48000])


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(int)


def steepest(pcm: bytes) -> int:
    return int(np.abs(np.diff(samples(pcm))).max())


def tone(frequency: float, rate: int, phase: int, level: float = -6.0) -> bytes:
    stream = Tone(frequency, level=level).open(rate)
    stream.read(phase)
    return stream.read(rate // 10)


@given(RATES, st.integers(0, 500), st.integers(0, 500), st.floats(200, 1500), st.floats(200, 1500))
def test_two_tones_join_in_any_phase(rate: int, one: int, two: int, low: float, high: float) -> None:
    before, after = tone(low, rate, one), tone(high, rate, two)
    cut = rate // 25 * 2
    joined = before[:cut] + join(before[cut:], after, rate)
    # What a fade of 5 ms itself adds is the slope of its ramp.
    own = max(steepest(before), steepest(after))
    assert steepest(joined) <= own + np.pi / 2 * 24000 / fade_samples(rate)
    assert len(joined) == cut + len(after)


@given(RATES, st.integers(0, 500))
def test_to_silence_and_from_it(rate: int, phase: int) -> None:
    sound = tone(440, rate, phase)
    quiet = bytes(len(sound))
    cut = rate // 25 * 2
    limit = steepest(sound) + np.pi / 2 * 24000 / fade_samples(rate)
    assert steepest(sound[:cut] + join(sound[cut:], quiet, rate)) <= limit
    assert (
        steepest(sound[:cut] + join(sound[cut - 2 : cut], quiet, rate)) <= limit
    )  # only its last sample is known
    assert steepest(quiet + join(b"", sound, rate)) <= limit
    assert steepest(quiet + fade_in(sound, rate)) <= limit
    assert steepest(sound[:cut] + fade_out(sound[cut:], rate)) <= limit
    assert not samples(fade_out(sound, rate))[fade_samples(rate) :].any()


def test_what_begins_softly_is_untouched() -> None:
    sound = tone(440, 8000, 0)
    assert join(b"", sound, 8000) is sound
    assert join(bytes(160), sound, 8000) is sound
    assert join(b"\5\0" * 40, b"\7\0" * 160, 8000) == b"\7\0" * 160


@given(st.binary(max_size=200), st.binary(max_size=400), RATES)
def test_any_pcm(tail: bytes, pcm: bytes, rate: int) -> None:
    tail, pcm = tail[: len(tail) & ~1], pcm[: len(pcm) & ~1]
    joined = join(tail, pcm, rate)
    assert len(joined) == len(pcm)
    size = 2 * fade_samples(rate)
    assert joined[size:] == pcm[size:]


def test_gain() -> None:
    assert ratio(0) == 1
    sound = tone(440, 8000, 0, level=-20)
    gain = Gain()
    assert gain(sound) is sound
    gain.decibels = 6.0
    first, second = gain(sound), gain(sound)
    assert first != second
    assert samples(second).max() == pytest.approx(samples(sound).max() * 1.995, rel=0.01)
    assert steepest(first) < 2.1 * steepest(sound)  # it glides
    gain.decibels = 0.0
    gain(sound)
    assert gain(sound) is sound
    assert gain(b"") == b""
    assert amplify(b"\xff\x7f\x00\x80", 4.0) == b"\xff\x7f\x00\x80"


@pytest.mark.parametrize("decibels", [-121, 41, float("nan"), float("inf")])
def test_a_gain_that_cannot_be_is_refused_at_once(decibels: float) -> None:
    gain = Gain(-6.0)
    with pytest.raises(ValueError, match=r"gain=.*must be from -120 to 40 dB"):
        gain.decibels = decibels
    assert gain.decibels == -6.0
