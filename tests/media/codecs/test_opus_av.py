"""Opus without libopus: fewer features, the same speech."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import CodecError
from sipua.media.codecs.opus import OpusDecoder
from sipua.media.codecs.opus_av import AvOpusDecoder, AvOpusEncoder
from tests.media.codecs.signals import likeness, packets, speech


@pytest.mark.parametrize("ptime", [10, 20, 60])
def test_speech_survives(ptime: int) -> None:
    encoder, decoder = AvOpusEncoder(ptime=ptime), AvOpusDecoder()
    payloads = [encoder.encode(pcm) for pcm in packets(speech(48000), 48000, ptime)]
    assert {decoder.duration(payload) for payload in payloads if payload} == {48 * ptime}
    assert likeness(b"".join(decoder.decode(payload) for payload in payloads if payload), 48000) > 0.97
    assert decoder.conceal(960) is None
    assert decoder.recover(payloads[5], 960) is None


@given(st.binary(min_size=1, max_size=3), st.integers(0, 255))
def test_the_duration_is_that_of_libopus(start: bytes, fill: int) -> None:
    payload, durations = start + bytes([fill]) * 60, []
    for decoder in (OpusDecoder(), AvOpusDecoder()):
        try:
            durations.append(decoder.duration(payload))
        except CodecError:
            durations.append(0)
    assert durations[0] == durations[1]


def test_what_does_not_fit() -> None:
    with pytest.raises(CodecError, match="opus: 640 bytes of PCM are not 20 ms"):
        AvOpusEncoder().encode(bytes(640))
    for use in (AvOpusDecoder().duration, AvOpusDecoder().decode):
        with pytest.raises(CodecError, match="empty payload"):
            use(b"")


def test_reset_begins_anew() -> None:
    encoder, decoder = AvOpusEncoder(), AvOpusDecoder()
    frames = packets(speech(48000), 48000)[:10]
    payloads = [encoder.encode(pcm) for pcm in frames]
    heard = [decoder.decode(payload) for payload in payloads if payload]
    encoder.reset()
    decoder.reset()
    assert [encoder.encode(pcm) for pcm in frames] == payloads
    assert [decoder.decode(payload) for payload in payloads if payload] == heard
