"""The mix is what it should be, whatever the voices do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.conference.mixer import RATES, Mixer
from sipua.media.conference.voice import Voice
from sipua.media.pcm import samples_per_frame, silence
from tests.stateful import stateful

LOUDNESS = (None, 0, 10, 2000, 12000, 32767)


def noise(random: np.random.Generator, rate: int, peak: int | None) -> bytes | None:
    if peak is None:
        return None
    return random.integers(-peak, peak + 1, samples_per_frame(rate)).astype("<i2").tobytes()


def numbers(pcm: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.frombuffer(pcm, "<i2").astype(np.int64)


Step = tuple[list[int], int, int]

STEPS = st.lists(
    st.tuples(
        st.lists(st.integers(0, len(LOUDNESS) - 1), min_size=5, max_size=5),
        st.integers(0, 31),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=12,
)


@stateful(60)
@given(STEPS, st.lists(st.sampled_from(RATES), min_size=5, max_size=5), st.integers(0, 2**32 - 1))
def test_any_voices(steps: list[Step], rates: list[int], seed: int) -> None:
    """Everybody gets 20 ms at its rate; who is silent or deaf, or alone, is not given what it should not hear."""
    random, mixer = np.random.default_rng(seed), Mixer()
    voices = [Voice(rate) for rate in rates]
    for loudness, flags, count in steps:
        present = voices[: count + 1]
        for voice, index, place in zip(present, loudness, range(5), strict=False):
            voice.pcm = noise(random, voice.rate, LOUDNESS[index])
            voice.deaf = bool(flags >> place & 1)
            voice.volume = 0.0 if (flags >> place) % 3 == 0 else 1.0
        mixer.prepare(present)
        mixer.mix(present)
        assert mixer.rate == max(voice.rate for voice in present)
        assert len(mixer.everything) == 2 * samples_per_frame(mixer.rate)
        for voice in present:
            assert len(voice.mixed) == 2 * samples_per_frame(voice.rate)
            if voice.deaf:
                assert not any(voice.mixed)
        if len(present) == 1:
            # Down and up again is known to a hair.
            assert np.abs(numbers(voices[0].mixed)).max() <= 1


@given(st.lists(st.sampled_from((None, 2000, 4000)), min_size=2, max_size=6), st.integers(0, 2**32 - 1))
def test_the_sum_of_the_others_to_the_bit(loudness: list[int | None], seed: int) -> None:
    random, mixer = np.random.default_rng(seed), Mixer()
    voices = [Voice(16000) for _ in loudness]
    mixer.prepare(voices)
    for _ in range(3):
        for voice, peak in zip(voices, loudness, strict=True):
            voice.pcm = noise(random, 16000, peak)
        mixer.mix(voices)
    said = [numbers(voice.pcm or silence(320)) for voice in voices]
    for voice, own in zip(voices, said, strict=True):
        assert (numbers(voice.mixed) == sum(said) - own).all()
    assert (numbers(mixer.everything) == sum(said)).all()


def test_no_trace_of_itself_through_another_rate() -> None:
    random, mixer = np.random.default_rng(3), Mixer()
    low, other, high = Voice(8000), Voice(16000), Voice(48000)
    voices = [low, other, high]
    mixer.prepare(voices)
    for tick in range(40):
        low.pcm = noise(random, 8000, 8000) if tick % 7 < 4 else None
        low.volume = 1.0 if tick < 20 else 0.5
        mixer.mix(voices)
        assert np.abs(numbers(low.mixed)).max() <= 1
        assert any(other.mixed) == any(high.mixed)
    assert any(mixer.everything)


def test_asides_are_heard_by_one() -> None:
    mixer, a, b = Mixer(), Voice(8000), Voice(8000)
    a.aside = noise(np.random.default_rng(1), 8000, 1000)
    for deaf in (False, True):
        a.deaf = deaf
        mixer.prepare([a, b])
        mixer.mix([a, b])
        assert a.mixed == a.aside
        assert not any(b.mixed)
        assert not any(mixer.everything)


def test_nobody_and_nothing() -> None:
    mixer = Mixer()
    mixer.prepare([])
    mixer.mix([])
    assert mixer.everything == b""
    unknown = Voice()
    mixer.prepare([unknown])
    mixer.mix([unknown])
    assert unknown.mixed == b""


def test_a_pause_in_a_word_is_not_silence() -> None:
    random, mixer, voice = np.random.default_rng(1), Mixer(), Voice(8000)
    mixer.prepare([voice])

    def talks(peak: int | None) -> bool:
        voice.pcm = noise(random, 8000, peak)
        mixer.mix([voice])
        return voice.talking

    assert not talks(10)
    assert talks(1000)
    assert [talks(10) for _ in range(20)] == [True] * 14 + [False] * 6
    assert talks(1000)
    assert [talks(None) for _ in range(20)] == [True] * 14 + [False] * 6
