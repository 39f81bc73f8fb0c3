"""Tones in the sound, as ITU-T Q.24 wants them found: and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.media.analysis import load
from sipua.media.dtmf import DtmfDetector, DtmfEvent
from sipua.media.dtmf.detector import DtmfSink
from sipua.media.dtmf.inband import FREQUENCIES, DtmfTones
from sipua.media.interface import DTMF_TONES
from tests.media.calls import SPEECH

#: A sine of 0 dBm0, as amplitude.
REFERENCE = 32767 * 10 ** (-3.14 / 20)


def detect(samples: np.ndarray | bytes, rate: int = 8000, *, chunk: float = 0.02) -> list[DtmfEvent]:
    pcm = samples if isinstance(samples, bytes) else np.clip(samples, -32768, 32767).astype("<i2").tobytes()
    detector, found, step = DtmfDetector(), [], int(rate * chunk) * 2
    for start in range(0, len(pcm), step):
        found += detector.feed(pcm[start : start + step], rate)
    return found + detector.feed(bytes(rate // 5), rate)


def wave(
    tone: str,
    milliseconds: float,
    low: float = -9,
    high: float = -7,
    *,
    detuned: tuple[float, float] = (0, 0),
    rate: int = 8000,
    phase: float = 0.0,
) -> np.ndarray:
    """A tone with levels in dBm0 and frequencies that are off by these shares."""
    time = np.arange(int(rate * milliseconds / 1000)) / rate
    parts = zip(FREQUENCIES[tone], (low, high), detuned, strict=True)
    return sum(
        REFERENCE * 10 ** (level / 20) * np.sin(2 * np.pi * f * (1 + off) * time + phase)
        for f, level, off in parts
    )


def all_tones(milliseconds: float, pause: float, *levels: float, **how: object) -> np.ndarray:
    """Each of the 16 tones at four places in the grid of blocks."""
    parts = []
    for n, tone in enumerate(DTMF_TONES * 4):
        silence = np.zeros(int(8000 * pause / 1000) + 13 * (n % 4))
        parts += [wave(tone, milliseconds, *levels, phase=n, **how), silence]  # type: ignore[arg-type]
    return np.concatenate(parts)


def tones(events: list[DtmfEvent]) -> str:
    return "".join(event.tone for event in events)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_our_own_tones(rate: int) -> None:
    stream = DtmfTones(DTMF_TONES, duration=60, gap=50).open(rate)
    events = detect(stream.read(4 * rate), rate)
    assert tones(events) == DTMF_TONES
    assert [event.duration for event in events] == pytest.approx([0.06] * 16, abs=0.015)
    assert {event.volume for event in events} == {None}


@pytest.mark.parametrize(
    ("levels", "detuned"),
    [
        ((-9, -7), (0, 0)),
        ((-25, -25), (0, 0)),
        ((0, 0), (0, 0)),
        ((-12, -8), (0, 0)),  # the high one louder by 4 dB
        ((-6, -13), (0, 0)),  # the low one by 7 dB
        ((-9, -7), (0.015, 0.015)),
        ((-9, -7), (-0.015, 0.015)),
        ((-9, -7), (0.018, -0.018)),
    ],
)
def test_shortest_tones_and_pauses(levels: tuple[int, int], detuned: tuple[float, float]) -> None:
    assert tones(detect(all_tones(40, 40, *levels, detuned=detuned))) == DTMF_TONES * 4


def test_noise_at_15_db() -> None:
    noise = np.random.default_rng(24).normal(0, REFERENCE * 10 ** (-24 / 20) / 2**0.5, 64 * 900)
    sound = all_tones(50, 50, -9, -9)
    assert tones(detect(sound + noise[: len(sound)])) == DTMF_TONES * 4


@pytest.mark.parametrize(
    "sound",
    [
        all_tones(23, 60),
        all_tones(60, 40, -38, -38),
        all_tones(60, 40, -20, -6),  # twist
        all_tones(60, 40, -4, -20),
        all_tones(60, 40, -9, -60),  # one frequency alone
        all_tones(60, 40, detuned=(0.05, 0.05)),
        np.zeros(8000),
        np.full(8000, 12000.0),
        np.random.default_rng(1).normal(0, 6000, 80_000),
    ],
    ids=["short", "faint", "high twist", "low twist", "one", "detuned", "silence", "offset", "noise"],
)
def test_what_is_no_tone(sound: np.ndarray) -> None:
    assert detect(sound) == []


def test_dial_tone_is_none() -> None:
    time = np.arange(16000) / 8000
    assert detect(6000 * (np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time))) == []


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("gain", [0.3, 1.0, 3.0])
def test_nobody_talks_tones(rate: int, gain: float) -> None:
    assert detect(load(SPEECH, rate) * 32767 * gain, rate) == []


def test_short_break_does_not_split_a_tone() -> None:
    sound = np.concatenate([wave("5", 60), np.zeros(80), wave("5", 60)])
    (event,) = detect(sound)
    assert event == DtmfEvent("5", pytest.approx(0.13, abs=0.015))


def test_tones_without_a_pause() -> None:
    assert tones(detect(np.concatenate([wave("1", 80), wave("9", 80)]))) == "19"


def test_told_soon_after_the_end() -> None:
    detector = DtmfDetector()
    pcm = np.concatenate([wave("3", 100), np.zeros(8000)]).astype("<i2").tobytes()
    told = [tones(detector.feed(pcm[at : at + 320], 8000)) for at in range(0, len(pcm), 320)]
    assert told.index("3") <= 7  # the tone is in five chunks


def test_chunks_of_any_size() -> None:
    sound = wave("8", 80)
    for chunk in (0.001, 0.0101, 0.06, 1.0):
        assert tones(detect(sound, chunk=chunk)) == "8"


def test_rate_may_change() -> None:
    detector = DtmfDetector()
    stream = DtmfTones("12", duration=100, gap=100)
    found = detector.feed(stream.open(8000).read(8000), 8000) + detector.feed(b"", 16000)
    assert tones(found + detector.feed(stream.open(16000).read(16000), 16000)) == "1212"


def test_as_a_sink() -> None:
    told: list[DtmfEvent] = []
    DtmfSink(told.append).write(DtmfTones("0").open(8000).read(8000), 8000)
    assert tones(told) == "0"
