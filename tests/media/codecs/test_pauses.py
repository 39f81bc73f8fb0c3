"""Pauses between sentences are found, and described by a few packets."""

from __future__ import annotations

import pytest

from sipua.media.codecs.comfort import ComfortNoiseDecoder
from sipua.media.codecs.pauses import Pauses
from tests.media.codecs.signals import likeness, loudness, noise, packets, speech

SECOND = 16000


def test_a_pause_costs_a_packet_a_second() -> None:
    pauses = Pauses()
    judged = [pauses.judge(pcm) for pcm in packets(noise(20, 5 * 8000), 8000)]
    # It takes a quarter of a second to be sure.
    assert judged[:11] == [None] * 11
    told = [payload for payload in judged[11:] if payload]
    assert None not in judged[11:]
    assert 5 <= len(told) <= 7
    decoder = ComfortNoiseDecoder()
    decoder.decode(told[-1])
    assert loudness(decoder.conceal(8000)) == pytest.approx(20, rel=0.3)


def test_speech_goes_on_at_once_and_is_whole() -> None:
    pauses, decoder = Pauses(), ComfortNoiseDecoder()
    heard = b""
    for pcm in packets(noise(10, 8000) + speech(8000) + noise(10, 8000, 2), 8000):
        payload = pauses.judge(pcm)
        if payload:
            heard += decoder.decode(payload)
        else:
            heard += pcm if payload is None else decoder.conceal(len(pcm) // 2)
    assert likeness(heard, 8000) > 0.99


def test_no_frame_of_loud_sound_is_left_out() -> None:
    pauses = Pauses()
    assert all(pauses.judge(pcm) is None for pcm in packets(noise(2000, 10 * 8000), 8000))


def test_louder_noise_is_told_at_once() -> None:
    pauses = Pauses()
    for pcm in packets(noise(10, 2 * 8000), 8000):
        pauses.judge(pcm)
    judged = [pauses.judge(pcm) for pcm in packets(noise(15, 8000, 3), 8000)]
    assert any(payload for payload in judged[:30])


def test_digital_silence() -> None:
    pauses = Pauses(40)
    judged = [pauses.judge(bytes(640)) for _ in range(20)]
    assert judged[:5] == [None] * 5
    assert b"\x7f" in judged
    assert pauses.judge(b"") is not None
