"""Levels, and who speaks."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.media.files import decode_file
from sipua.media.levels import LevelMeter, VoiceDetector, VoiceTap, level_of
from sipua.media.sources import Tone
from tests.media.calls import SPEECH


def test_levels_are_those_of_rfc_6464() -> None:
    assert level_of(b"") == level_of(bytes(320)) == -127
    assert level_of(b"\x00\x80" * 160) == 0
    assert level_of(Tone(400, level=-20).open(8000).read(160)) == pytest.approx(-20, abs=0.1)


def test_a_meter_tells_the_last_20_ms() -> None:
    left: list[LevelMeter] = []
    meter = LevelMeter(left.append)
    assert meter.levels.heard == meter.levels.said == -127
    meter.tick(Tone(400, level=-20).open(8000).read(160), 8000, bytes(640), 16000)
    assert meter.levels.heard == pytest.approx(-20, abs=0.1)
    assert meter.levels.said == -127
    meter.close()
    assert left == [meter]
    assert meter.levels.heard == -127


def changes(pcm: bytes, rate: int) -> list[tuple[float, bool]]:
    """When a voice began and ended, in seconds."""
    detector, step = VoiceDetector(), rate // 25
    found = []
    for number in range(len(pcm) // step):
        change = detector.feed(pcm[number * step : (number + 1) * step], rate)
        if change is not None:
            found.append((round(number * 0.02, 2), change))
    return found


def noise(seconds: float, rate: int, level: float) -> np.ndarray:
    wave = np.random.default_rng(1).standard_normal(int(seconds * rate))
    return wave * 32768 * 10 ** (level / 20)


def pcm_of(samples: np.ndarray) -> bytes:
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("level", [-127.0, -55.0, -45.0])
def test_speech_in_noise(rate: int, level: float) -> None:
    speech = np.frombuffer(decode_file(SPEECH, rate), "<i2").astype(float)
    quiet = np.zeros(3 * rate)
    both = np.concatenate([quiet, speech, quiet])
    found = changes(pcm_of(both + noise(len(both) / rate, rate, level)), rate)
    assert found[0][1] is True
    assert 3.0 <= found[0][0] < 3.8
    assert found[-1][1] is False
    assert 7.5 < found[-1][0] < 9.2
    assert [speaks for _, speaks in found] == [number % 2 == 0 for number in range(len(found))]
    assert len(found) <= 6  # not one per word


@pytest.mark.parametrize("level", [-60.0, -40.0, -25.0, -10.0])
def test_noise_is_no_voice(level: float) -> None:
    assert changes(pcm_of(noise(10, 16000, level)), 16000) == []


def test_coloured_noise_is_no_voice_for_long() -> None:
    # A fan: most of it is low.
    wave = np.convolve(noise(20, 8000, -25), np.ones(8) / 8, "same")
    found = changes(pcm_of(np.concatenate([np.zeros(8000), wave])), 8000)
    assert sum(1 for _, speaks in found if speaks) <= 1
    assert not found or found[-1][1] is False
    assert not found or found[-1][0] < 6


def test_speech_at_once() -> None:
    first = changes(decode_file(SPEECH, 16000), 16000)[0]
    assert first[1] is True
    assert first[0] < 1.0


def test_a_tap_tells_both_sides() -> None:
    told: list[tuple[str, bool]] = []
    tap = VoiceTap(lambda side, speaks: told.append((side, speaks)))
    speech = decode_file(SPEECH, 8000)
    for start in range(0, 64000, 320):
        tap.tick(speech[start : start + 320], 8000, bytes(640), 16000)
    assert told[0] == ("remote", True)
    for start in range(0, 64000, 320):
        tap.tick(bytes(320), 8000, speech[start : start + 320], 8000)
    assert ("local", True) in told
    assert told[-2:].count(("remote", False)) <= 1
    assert ("remote", False) in told
