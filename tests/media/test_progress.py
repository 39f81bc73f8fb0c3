"""Call-progress tones: frequencies, cadences, levels, and no clicks."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.errors import ConfigurationError
from sipua.media.analysis import detect_tones, level
from sipua.media.progress import COUNTRIES, Burst, ProgressTone, cadence

NAMES = ("dial", "ringback", "busy", "congestion", "waiting", "special_information")


def pcm_of(tone: ProgressTone, seconds: float, rate: int = 8000) -> bytes:
    stream = tone.open(rate)
    return b"".join(stream.read(rate // 50) for _ in range(round(seconds * 50)))


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("name", NAMES)
def test_every_tone_is_in_time_and_tune(name: str, country: str) -> None:
    bursts = cadence(name, country)
    if bursts[0].seconds is None:
        tone = pcm_of(ProgressTone(name, country), 1.0)  # type: ignore[arg-type]
        assert abs(level(tone) + 16) < 0.5
        return
    period = sum(burst.seconds or 0 for burst in bursts)
    pcm = np.frombuffer(pcm_of(ProgressTone(name, country), 2 * period + 0.02), "<i2")  # type: ignore[arg-type]
    at = 0.0
    for burst in bursts * 2:
        assert burst.seconds is not None
        part = pcm[round(at * 8000) : round((at + burst.seconds) * 8000)]
        at += burst.seconds
        if not burst.frequencies:
            assert not part.any()
        elif burst.seconds >= 0.2 and not burst.modulation:
            heard = detect_tones(part.tobytes(), list(burst.frequencies), rate=8000)
            assert heard == list(burst.frequencies)
    steps = np.abs(np.diff(pcm.astype(int))).max()
    highest = max(max(burst.frequencies, default=0) for burst in bursts)
    assert steps < 1.45 * 32767 * 10 ** (-16 / 20) * 2 * np.pi * highest / 8000 * 1.5


def test_what_is_known_by_heart() -> None:
    assert cadence("ringback", "us") == (Burst((440.0, 480.0), 2.0), Burst((), 4.0))
    assert cadence("ringback", "de") == (Burst((425.0,), 1.0), Burst((), 4.0))
    assert cadence("ringback", "UK") == cadence("ringback", "gb")
    assert [burst.seconds for burst in cadence("ringback", "uk")] == [0.4, 0.2, 0.4, 2.0]
    assert cadence("busy", "us")[0].frequencies == (480.0, 620.0)
    assert cadence("dial", "us") == (Burst((350.0, 440.0), None),)
    assert cadence("dial", "fr")[0].frequencies == (440.0,)
    assert cadence("busy", "jp")[0] == Burst((400.0,), 0.5)
    assert [burst.frequencies for burst in cadence("special_information", "it")][:3] == [
        (950,),
        (1400,),
        (1800,),
    ]


def test_length_and_names() -> None:
    stream = ProgressTone("busy", "fr", seconds=1.03).open(8000)
    assert sum(len(stream.read(160)) for _ in range(60)) == 2 * 8240
    assert repr(ProgressTone("busy", "fr")) == "ProgressTone('busy', 'fr')"
    for make in (
        lambda: ProgressTone("ring", "us"),  # type: ignore[arg-type]
        lambda: ProgressTone("busy", "xx"),
        lambda: ProgressTone("busy", level=3),
        lambda: ProgressTone("busy", seconds=0),
    ):
        with pytest.raises(ConfigurationError):
            make()


def test_a_cadence_does_not_drift() -> None:
    stream = ProgressTone("congestion", "be").open(8000)  # 167 ms
    pcm = np.frombuffer(stream.read(8000 * 60), "<i2")
    period = round(0.334 * 8000)
    assert (pcm[: period * 100].reshape(100, period) == pcm[:period]).all()
