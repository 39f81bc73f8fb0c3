"""The right decoder for each payload, and something fitting for each gap."""

from __future__ import annotations

import numpy as np
import pytest

from sipua.media.codecs.base import AudioDecoder
from sipua.media.codecs.comfort import ComfortNoiseDecoder
from sipua.media.codecs.g711 import G711Decoder
from sipua.media.codecs.g722 import G722Decoder
from sipua.media.engine.decoding import StreamDecoder
from sipua.media.engine.pitch import samples_of

PCMU, G722, NOISE, STRANGE = 0, 9, 13, 77


def decoder() -> tuple[StreamDecoder, list[int]]:
    asked: list[int] = []

    def make(payload_type: int) -> AudioDecoder | None:
        asked.append(payload_type)
        if payload_type == NOISE:
            return ComfortNoiseDecoder()
        return {PCMU: G711Decoder("pcmu"), G722: G722Decoder()}.get(payload_type)

    return StreamDecoder(make, 8000), asked


def test_each_decoder_is_made_once() -> None:
    sound, asked = decoder()
    for _ in range(3):
        assert sound.clock_of(PCMU) == 8000
        assert sound.turn_to(PCMU)
        assert sound.describe_noise(NOISE, b"\x30")
    assert asked == [PCMU, NOISE]
    sound.reset()
    assert sound.turn_to(PCMU)
    assert asked == [PCMU, NOISE, PCMU]


def test_what_is_no_audio_is_not_turned_to() -> None:
    sound, _ = decoder()
    assert not sound.turn_to(STRANGE)
    assert not sound.turn_to(NOISE)
    assert sound.clock_of(STRANGE) is None
    assert sound.clock_of(NOISE) == 8000
    assert not sound.describe_noise(PCMU, b"\x30")
    assert sound.decode(b"\xff" * 160) == b""


def test_the_rate_is_that_of_the_decoder() -> None:
    sound, _ = decoder()
    assert sound.rate == 8000
    sound.turn_to(G722)
    assert (sound.rate, sound.clock_rate) == (16000, 8000)
    assert len(sound.decode(bytes(160))) == 640


@pytest.mark.parametrize("payload", [b"", bytes(3201)], ids=["empty", "too long"])
def test_malformed_payloads_give_nothing(payload: bytes) -> None:
    sound, _ = decoder()
    sound.turn_to(PCMU)
    assert sound.decode(payload) == b""
    assert not sound.describe_noise(NOISE, b"")
    assert sound.recover(PCMU, payload, 160) is None


def test_gaps_are_filled_with_what_was_or_with_noise_once_it_is_described() -> None:
    sound, _ = decoder()
    sound.turn_to(PCMU)
    tone = (8000 * np.sin(2 * np.pi * np.arange(480) / 40)).astype("<i2").tobytes()
    sound.history.append(tone)
    filled = samples_of(sound.fill(80, b""))
    assert np.corrcoef(filled, samples_of(tone)[:80])[0, 1] > 0.99
    assert len(sound.join(tone[:320])) == 320
    assert sound.describe_noise(NOISE, b"\x30")
    assert sound.in_noise
    assert 0 < np.abs(samples_of(sound.fill(80, b""))).max() < 1000
    sound.join(tone)
    assert not sound.in_noise


def test_noise_of_another_rate_is_as_loud() -> None:
    sound, _ = decoder()
    sound.turn_to(G722)
    sound.describe_noise(NOISE, b"\x1e")
    noise = samples_of(sound.fill(16001, b""))
    assert len(noise) == 16001
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32768) == pytest.approx(-31, abs=2)
