"""Comfort noise: as loud and of the same colour as the noise that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import CodecError
from sipua.media.codecs.comfort import ComfortNoiseDecoder, ComfortNoiseEncoder
from tests.media.codecs.signals import loudness, noise


def coloured(rms: float) -> bytes:
    """Noise with more low than high tones."""
    white = np.frombuffer(noise(1000, 8000), "<i2").astype(float)
    low = np.convolve(white, [1, 0.9, 0.6, 0.3], "same")
    low *= rms / np.sqrt(np.mean(low**2))
    return low.astype(np.int16).tobytes()


def spectrum(pcm: bytes) -> list[float]:
    """Shares of the power in four bands of 1 kHz."""
    frames = np.frombuffer(pcm, "<i2")[: len(pcm) // 512 * 256].reshape(-1, 256)
    power = (np.abs(np.fft.rfft(frames * np.hanning(256))) ** 2).sum(0)[:128].reshape(4, 32).sum(1)
    return [float(share) for share in power / power.sum()]


@pytest.mark.parametrize("rms", [30, 300, 3000])
def test_it_sounds_like_what_was_there(rms: float) -> None:
    before = coloured(rms)
    decoder = ComfortNoiseDecoder()
    payload = ComfortNoiseEncoder().encode(before)
    after = decoder.decode(payload) + decoder.conceal(16000)
    assert loudness(after) == pytest.approx(rms, rel=0.12)
    assert spectrum(after) == pytest.approx(spectrum(before), abs=0.05)


def test_the_level_is_in_dbov() -> None:
    """0 is a square wave of the full scale (RFC 3389 section 3.1)."""
    encoder, decoder = ComfortNoiseEncoder(), ComfortNoiseDecoder()
    assert encoder.encode(b"\xff\x7f\x01\x80" * 80)[0] == 0
    assert encoder.encode(noise(32768 / 10, 8000))[0] == 20
    assert encoder.encode(bytes(320)) == b"\x7f"
    decoder.decode(b"\x28")
    assert loudness(decoder.conceal(80000)) == pytest.approx(327.68, rel=0.05)
    # The high bit means nothing.
    decoder.decode(b"\xa8")
    assert loudness(decoder.conceal(80000)) == pytest.approx(327.68, rel=0.05)


def test_no_step_between_frames() -> None:
    decoder = ComfortNoiseDecoder(16000)
    # One reflection coefficient close to -1: a slow rumble, whose samples are all alike.
    pcm = decoder.decode(bytes([20, 8])) + b"".join(decoder.conceal(320) for _ in range(50))
    steps = np.abs(np.diff(np.frombuffer(pcm, "<i2").astype(float)))
    at_seams = steps[319::320]
    assert at_seams.max() <= steps.max()
    assert at_seams.mean() < 1.5 * steps.mean()


def test_silence_before_the_first_payload_and_after_reset() -> None:
    decoder = ComfortNoiseDecoder()
    assert decoder.conceal(160) == bytes(320)
    assert decoder.decode(b"\x10") != bytes(320)
    decoder.reset()
    assert decoder.conceal(160) == bytes(320)


def test_any_length_and_any_rate() -> None:
    decoder = ComfortNoiseDecoder(48000)
    assert (decoder.rate, decoder.clock_rate, decoder.duration(b"\x30")) == (48000, 48000, 960)
    assert len(decoder.decode(b"\x30")) == 1920
    assert [len(decoder.conceal(samples)) for samples in (0, 1, 7, 960)] == [0, 2, 14, 1920]


@given(st.binary(min_size=1, max_size=40))
def test_whatever_comes_is_noise_of_its_level(payload: bytes) -> None:
    decoder = ComfortNoiseDecoder()
    pcm = decoder.decode(payload) + decoder.conceal(800)
    assert len(pcm) == 1920
    assert loudness(pcm) <= 32768 * 10 ** (-(payload[0] & 127) / 20) * 4 + 1


@given(st.binary(min_size=2, max_size=400).filter(lambda pcm: len(pcm) % 2 == 0))
def test_whatever_is_heard_can_be_said(pcm: bytes) -> None:
    payload = ComfortNoiseEncoder().encode(pcm)
    assert payload[0] < 128
    assert all(0 < byte < 255 for byte in payload[1:])
    ComfortNoiseDecoder().decode(payload)


@pytest.mark.parametrize("pcm", [b"", b"\x01", bytes(3)])
def test_what_does_not_fit(pcm: bytes) -> None:
    with pytest.raises(CodecError, match="no whole number of samples"):
        ComfortNoiseEncoder().encode(pcm)
    with pytest.raises(CodecError, match="empty payload"):
        ComfortNoiseDecoder().decode(b"")
