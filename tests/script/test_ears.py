"""What is heard, and when: by sounds of known content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sipua.media.files import decode_file
from sipua.media.sources import Silence
from sipua.media.sources import Tone as ToneSource
from sipua.script.ears import AnySound, Ears, Quiet, Speech, Tones

if TYPE_CHECKING:
    from sipua.media.interface import AudioSource
    from sipua.script.ears import Sound

SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "speech.wav"


def pcm(*sources: AudioSource, rate: int = 8000) -> bytes:
    return b"".join(source.open(rate).read(10 * rate) for source in sources)


def ears(*sounds: Sound, heard: bytes, rate: int = 8000) -> Ears:
    made = Ears(sounds, lambda: None)
    made.open()
    frame = rate // 25
    for at in range(0, len(heard), frame):
        made.write(heard[at : at + frame].ljust(frame, b"\0"), rate)
    return made


def tone(*frequencies: float, seconds: float = 0.5, level: float = -16.0) -> ToneSource:
    return ToneSource(*frequencies, seconds=seconds, level=level)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_tone_is_found_where_it_is(rate: int) -> None:
    sound = Tones((440.0,))
    heard = ears(sound, heard=pcm(Silence(1.0), tone(440), Silence(1.0), rate=rate), rate=rate)
    assert heard.find(sound, since=0, length=0.1, take=False) == pytest.approx(1.1, abs=0.03)
    assert heard.find(sound, since=0, length=0.44, take=False) == pytest.approx(1.45, abs=0.03)
    assert heard.find(sound, since=0, length=0.6) is None
    assert heard.find(sound, since=1.3, length=0.1, take=False) == pytest.approx(1.4)
    assert heard.find(sound, since=1.5, length=0.1) is None


def test_one_tone_is_found_once() -> None:
    sound = Tones((440.0,))
    heard = ears(sound, heard=pcm(tone(440), Silence(0.2), tone(440)))
    first = heard.find(sound, since=0, length=0.1)
    second = heard.find(sound, since=first or 0, length=0.1)
    assert (first, second) == (pytest.approx(0.1, abs=0.03), pytest.approx(0.8, abs=0.03))
    assert heard.find(sound, since=second or 0, length=0.1) is None


@pytest.mark.parametrize(
    ("wanted", "played", "found"),
    [
        ((440.0,), (440.0,), True),
        ((440.0,), (444.0,), True),  # 1 % off, as lines may be
        ((440.0,), (480.0,), False),
        ((440.0,), (440.0, 480.0), False),
        ((350.0, 440.0), (350.0, 440.0), True),
        ((350.0, 440.0), (440.0,), False),
        ((697.0, 1209.0), (697.0, 1209.0), True),
        ((697.0, 1209.0), (770.0, 1209.0), False),
        ((3800.0,), (3800.0,), True),
    ],
)
def test_which_tone(wanted: tuple[float, ...], played: tuple[float, ...], found: bool) -> None:
    sound = Tones(wanted)
    heard = ears(sound, heard=pcm(tone(*played)))
    assert (heard.find(sound, since=0, length=0.1) is not None) is found


def test_a_tone_in_noise_and_a_faint_one() -> None:
    sound = Tones((1000.0,))
    clean = np.frombuffer(pcm(tone(1000, level=-20)), "<i2").astype(float)
    noise = np.random.default_rng(1).normal(0, 10 ** (-30 / 20) * 32768, len(clean))
    heard = ears(sound, heard=(clean + noise).astype("<i2").tobytes())
    assert heard.find(sound, since=0, length=0.3) is not None
    assert ears(sound, heard=noise.astype("<i2").tobytes()).find(sound, since=0, length=0.1) is None
    assert ears(sound, heard=pcm(tone(1000, level=-60))).find(sound, since=0, length=0.1) is None


def test_speech_sound_and_silence() -> None:
    speech = decode_file(SPEECH, 16000)
    sounds = Speech(), AnySound(), Quiet(), Tones((440.0,))
    heard = ears(*sounds, heard=bytes(32000) + speech[:96000] + bytes(64000), rate=16000)
    assert 1.0 < (heard.find(sounds[0], since=0, length=0.1) or 0) < 3.0
    assert 1.0 < (heard.find(sounds[1], since=0, length=0.1) or 0) < 3.0
    assert heard.find(sounds[2], since=0, length=0.9, take=False) == pytest.approx(0.9)
    assert 5.0 < (heard.find(sounds[2], since=4.0, length=1.5, take=False) or 0) <= 6.0
    assert heard.find(sounds[3], since=0, length=0.1) is None


def test_noise_is_no_speech_but_a_sound() -> None:
    noise = np.random.default_rng(2).normal(0, 1000, 16000).astype("<i2").tobytes()
    heard = ears(Speech(), AnySound(), heard=noise)
    assert heard.find(Speech(), since=0, length=0.1) is None
    assert heard.find(AnySound(), since=0, length=1.5) == pytest.approx(1.5)


def test_what_is_forgotten() -> None:
    sound = Tones((440.0,))
    heard = ears(sound, heard=pcm(*[tone(440, seconds=0.2), Silence(0.2)] * 50))
    heard.forget(before=10.0)
    assert heard.find(sound, since=0, length=0.1) == pytest.approx(10.1, abs=0.1)
