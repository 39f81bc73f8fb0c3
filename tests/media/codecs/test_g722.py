"""G.722 keeps its two clocks apart and the speech whole."""

from __future__ import annotations

import pytest

from sipua.media.codecs import CodecError
from sipua.media.codecs.g722 import G722Decoder, G722Encoder
from tests.media.codecs.signals import likeness, packets, speech


@pytest.mark.parametrize("ptime", [20, 40, 60])
def test_speech_survives(ptime: int) -> None:
    encoder, decoder = G722Encoder(), G722Decoder()
    payloads = [encoder.encode(pcm) for pcm in packets(speech(16000), 16000, ptime)]
    # 64 kbit/s: 8000 bytes a second, whose RTP clock counts 8000 too.
    assert {len(payload) for payload in payloads} == {8 * ptime}
    assert {decoder.duration(payload) for payload in payloads} == {16 * ptime}
    assert likeness(b"".join(map(decoder.decode, payloads)), 16000) > 0.97
    assert (encoder.rate, encoder.clock_rate, decoder.rate, decoder.clock_rate) == (16000, 8000, 16000, 8000)


def test_a_payload_of_any_length_is_decoded() -> None:
    decoder = G722Decoder()
    assert [len(decoder.decode(bytes(size))) for size in (1, 79, 160, 240)] == [4, 316, 640, 960]


def test_reset_begins_anew() -> None:
    encoder, decoder = G722Encoder(), G722Decoder()
    frames = packets(speech(16000), 16000)[:20]
    payloads = [encoder.encode(pcm) for pcm in frames]
    heard = [decoder.decode(payload) for payload in payloads]
    encoder.reset()
    decoder.reset()
    assert [encoder.encode(pcm) for pcm in frames] == payloads
    assert [decoder.decode(payload) for payload in payloads] == heard


@pytest.mark.parametrize("size", [0, 1, 320, 641])
def test_what_does_not_fit(size: int) -> None:
    with pytest.raises(CodecError, match=f"{size} bytes of PCM cannot be cut into frames of 640"):
        G722Encoder().encode(bytes(size))
    for use in (G722Decoder().duration, G722Decoder().decode):
        with pytest.raises(CodecError, match="empty payload"):
            use(b"")
