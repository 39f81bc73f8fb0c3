"""Opus by libopus: what goes through comes out, what is asked for is done, what is broken is said."""

from __future__ import annotations

import contextlib
import gc
import random
import weakref
from itertools import pairwise

import pytest
from aiortc.codecs.opus import OpusDecoder as AiortcDecoder
from aiortc.jitterbuffer import JitterFrame
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import CodecError
from sipua.media.codecs.opus import OpusDecoder, OpusEncoder
from tests.media.codecs.signals import likeness, loudness, noise, packets, speech

FRAME = 960


def encode(encoder: OpusEncoder, ptime: int = 20, seconds: float = 1.5) -> list[bytes]:
    pcm = speech(48000)[: int(seconds * 48000) * 2]
    return [encoder.encode(part) for part in packets(pcm, 48000, ptime)]


def bit_rate(payloads: list[bytes]) -> float:
    return sum(map(len, payloads)) * 8 * 50 / len(payloads)


def is_celt(payload: bytes) -> bool:
    """By its configuration number (RFC 6716 table 2)."""
    return payload[0] >> 3 >= 16


@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_speech_survives_in_packets_of_every_length(ptime: int) -> None:
    payloads, decoder = encode(OpusEncoder(), ptime, seconds=9), OpusDecoder()
    assert {decoder.duration(payload) for payload in payloads} == {48 * ptime}
    assert likeness(b"".join(map(decoder.decode, payloads)), 48000) > 0.97


def test_another_decoder_understands_it() -> None:
    decoder = AiortcDecoder()
    frames = [decoder.decode(JitterFrame(payload, 0)) for payload in encode(OpusEncoder())[:10]]
    assert all(len(frame) == 1 for frame in frames)


@pytest.mark.parametrize("rate", [12000, 24000, 48000, 96000])
def test_the_bit_rate_is_kept(rate: int) -> None:
    assert 0.6 * rate < bit_rate(encode(OpusEncoder(rate))) < 1.1 * rate


def test_constant_bit_rate_makes_packets_of_one_size() -> None:
    assert len(set(map(len, encode(OpusEncoder(24000, cbr=True))))) == 1


def test_audio_above_what_the_peer_can_play_is_left_out() -> None:
    # The bandwidth is in the configuration number: 16 to 19 is narrowband CELT, 28 to 31 fullband.
    assert {payload[0] >> 5 for payload in encode(OpusEncoder(max_rate=8000))} == {0b100}
    assert {payload[0] >> 5 for payload in encode(OpusEncoder())[1:]} == {0b111}


def test_what_costs_more_is_used_only_when_it_helps() -> None:
    encoder = OpusEncoder(fec=True)
    assert all(map(is_celt, encode(encoder)))
    encoder.set_expected_loss(5)
    assert not any(map(is_celt, encode(encoder)[1:]))
    encoder.set_expected_loss(0)
    assert all(map(is_celt, encode(encoder)[1:]))
    plain = OpusEncoder(fec=False)
    plain.set_expected_loss(100)
    assert all(map(is_celt, encode(plain)))


def test_lost_packets_are_recovered_from_the_next_or_concealed() -> None:
    encoder = OpusEncoder(fec=True)
    encoder.set_expected_loss(10)
    payloads = encode(encoder, seconds=9)
    heard = {}
    for repair in ("recover", "conceal"):
        lost, decoder, pcm = random.Random(7), OpusDecoder(), []
        was_lost = False
        for payload, following in pairwise(payloads):
            is_lost = not was_lost and lost.random() < 0.1
            if not is_lost:
                pcm.append(decoder.decode(payload))
            elif repair == "conceal":
                pcm.append(decoder.conceal(FRAME))
            else:
                pcm.append(decoder.recover(following, FRAME) or decoder.conceal(FRAME))
            was_lost = is_lost
        assert {len(part) for part in pcm} == {2 * FRAME}
        heard[repair] = likeness(b"".join(pcm), 48000)
    assert heard["recover"] > heard["conceal"] > 0.8
    assert heard["recover"] > 0.95


def test_a_packet_without_a_copy_recovers_nothing() -> None:
    decoder = OpusDecoder()
    payloads = encode(OpusEncoder())
    decoder.decode(payloads[50])
    assert decoder.recover(payloads[52], FRAME) is None
    assert decoder.recover(b"", FRAME) is None


def test_concealment_fades_out() -> None:
    decoder = OpusDecoder()
    for payload in encode(OpusEncoder())[:50]:
        decoder.decode(payload)
    first, *_, last = [decoder.conceal(FRAME) for _ in range(30)]
    assert loudness(last) < loudness(first) / 10


def test_silence_is_not_sent_with_dtx() -> None:
    encoder, decoder = OpusEncoder(dtx=True), OpusDecoder()
    payloads = [encoder.encode(pcm) for pcm in packets(noise(8, 3 * 48000), 48000)]
    sent = [payload for payload in payloads[20:] if payload]
    assert 2 <= len(sent) <= 12
    assert all(len(decoder.decode(payload)) == 2 * FRAME for payload in sent)
    assert all(encode(OpusEncoder(dtx=False)))


def test_reset_begins_anew() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    frames = packets(speech(48000), 48000)[40:60]
    payloads = [encoder.encode(pcm) for pcm in frames]
    heard = [decoder.decode(payload) for payload in payloads]
    encoder.reset()
    decoder.reset()
    assert [encoder.encode(pcm) for pcm in frames] == payloads
    assert [decoder.decode(payload) for payload in payloads] == heard


@pytest.mark.parametrize("size", [0, 2, 1918, 1921 * 2, 2 * 48000])
def test_pcm_of_a_length_that_opus_does_not_have(size: int) -> None:
    with pytest.raises(CodecError, match="opus: invalid argument"):
        OpusEncoder().encode(bytes(size))


@pytest.mark.parametrize("samples", [-120, 0, 1, 100, 5880])
def test_gaps_of_a_length_that_opus_does_not_have(samples: int) -> None:
    decoder = OpusDecoder()
    with pytest.raises(CodecError, match=rf"{samples} samples are no multiple of 2\.5 ms"):
        decoder.conceal(samples)
    with pytest.raises(CodecError, match=rf"{samples} samples are no multiple of 2\.5 ms"):
        decoder.recover(b"\x00", samples)


@pytest.mark.parametrize("options", [{"bit_rate": -5}, {"complexity": 11}, {"complexity": -1}])
def test_impossible_options(options: dict[str, int]) -> None:
    with pytest.raises(CodecError, match="opus: invalid argument"):
        OpusEncoder(**options)  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_whatever_comes_is_decoded_or_refused(payload: bytes) -> None:
    decoder = OpusDecoder()
    with contextlib.suppress(CodecError):
        samples = decoder.duration(payload)
        assert 0 < samples <= 5760
        assert len(decoder.decode(payload)) == 2 * samples
    with contextlib.suppress(CodecError):
        recovered = decoder.recover(payload, FRAME)
        assert recovered is None or len(recovered) == 2 * FRAME
    assert len(decoder.conceal(FRAME)) == 2 * FRAME


def test_what_is_no_longer_used_is_given_back() -> None:
    encoder, decoder = weakref.ref(OpusEncoder()), weakref.ref(OpusDecoder())
    gc.collect()
    assert encoder() is None
    assert decoder() is None
