from __future__ import annotations

import numpy as np
import pytest

from sipua.media.analysis import detect_tones
from sipua.media.dtmf import DtmfTones
from sipua.media.dtmf.inband import FREQUENCIES, InbandSender, tone_pcm
from sipua.media.interface import DTMF_TONES


def silent(pcm: bytes) -> bool:
    return not any(pcm)


def test_sixteen_pairs() -> None:
    assert set(FREQUENCIES) == set(DTMF_TONES)
    assert FREQUENCIES["5"] == (770.0, 1336.0)
    assert FREQUENCIES["*"] == (941.0, 1209.0)
    assert FREQUENCIES["D"] == (941.0, 1633.0)


def test_levels_and_edges() -> None:
    samples = np.frombuffer(tone_pcm("5", 8000, 1000), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples)) / len(samples) * 2
    full = 32767 * 10 ** (-3.14 / 20)
    assert 20 * np.log10(spectrum[770] / full) == pytest.approx(-9, abs=0.1)
    assert 20 * np.log10(spectrum[1336] / full) == pytest.approx(-7, abs=0.1)
    # No click: it begins and ends softly.
    assert max(abs(samples[:4]).max(), abs(samples[-4:]).max()) < 0.2 * abs(samples).max()


def test_as_a_source() -> None:
    stream = DtmfTones("1,2", duration=100, gap=60).open(16000)
    pcm = stream.read(16000 * 3)
    assert len(pcm) == 2 * (2 * (1600 + 960) + 32000)
    assert not silent(pcm[: 2 * 1600])
    assert silent(pcm[2 * 1600 : 2 * (1600 + 960 + 32000)])
    assert stream.read(320) == b""
    assert DtmfTones("1,2,", duration=100, gap=60).seconds() == pytest.approx(0.1 + 0.06 + 2 + 0.1)
    assert repr(DtmfTones("1")) == "DtmfTones('1')"
    assert {697.0, 1209.0} <= set(detect_tones(pcm[:3200], (697.0, 770.0, 1209.0, 1336.0), rate=16000))


@pytest.mark.parametrize("arguments", [{"tones": ""}, {"tones": "x"}, {"tones": "1", "duration": 0}])
def test_bad_arguments(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="="):
        DtmfTones(**arguments)  # type: ignore[arg-type]


def test_tones_take_the_place_of_the_sound() -> None:
    sender, done, sound = InbandSender(), [], b"\1\1" * 160
    assert sender.replace(sound, 8000) is sound
    sender.queue("7", 60, 50, done.append)
    frames = [sender.replace(sound, 8000) for _ in range(3)]
    assert done == [True]
    frames += [sender.replace(sound, 8000) for _ in range(5)]
    assert {len(frame) for frame in frames} == {320}
    assert b"".join(frames[:3]) == tone_pcm("7", 8000, 60)
    assert all(map(silent, frames[3:5]))
    assert frames[6:] == [sound, sound]
    assert done == [True]
    assert not sender.active


def test_one_after_the_other() -> None:
    sender, done = InbandSender(), []
    sender.queue("1", 40, 40, lambda sent: done.append(("1", sent)))
    sender.queue("2", 40, 40, lambda sent: done.append(("2", sent)))
    for _ in range(5):
        assert not done or sender.active
        sender.replace(bytes(320), 8000)
    assert done == [("1", True)]
    sender.clear()
    assert done == [("1", True), ("2", False)]


def test_rate_change_begins_the_tone_anew() -> None:
    sender = InbandSender()
    sender.queue("1", 40, 0)
    sender.replace(bytes(320), 8000)
    assert sender.replace(bytes(1920), 48000) == tone_pcm("1", 48000, 40)[:1920]
