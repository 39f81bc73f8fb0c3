"""One of each codec, made as it was negotiated."""

from __future__ import annotations

import pytest

from sipua.media.codecs import CodecError, CodecSpec, make_decoder, make_encoder
from sipua.media.codecs.opus import OpusEncoder
from sipua.media.interface import MediaOptions, OpusOptions
from tests.media.codecs.signals import noise, packets, speech

SPECS = {
    "opus": CodecSpec("opus", 96, 48000, 2),
    "g722": CodecSpec("g722", 9, 8000),
    "pcmu": CodecSpec("pcmu", 0, 8000),
    "pcma": CodecSpec("pcma", 8, 8000),
}


def opus(fmtp: dict[str, str], options: OpusOptions, max_bitrate: int | None = None) -> OpusEncoder:
    spec = CodecSpec("opus", 96, 48000, 2, fmtp, max_bitrate=max_bitrate)
    encoder = make_encoder(spec, MediaOptions(opus=options))
    assert isinstance(encoder, OpusEncoder)
    return encoder


def bit_rate(encoder: OpusEncoder) -> float:
    sizes = [len(encoder.encode(pcm)) for pcm in packets(speech(48000)[:192000], 48000)]
    return sum(sizes) * 8 * 50 / len(sizes)


@pytest.mark.parametrize("name", SPECS)
def test_what_one_makes_the_other_reads(name: str) -> None:
    spec = SPECS[name]
    encoder, decoder = make_encoder(spec), make_decoder(spec)
    assert encoder.clock_rate == decoder.clock_rate == spec.clock_rate
    assert encoder.rate == decoder.rate
    frame = bytes(encoder.rate // 50 * 2)
    payload = encoder.encode(frame)
    assert decoder.duration(payload) == encoder.rate // 50
    assert len(decoder.decode(payload)) == len(frame)
    encoder.set_expected_loss(5)
    encoder.reset()
    decoder.reset()


@pytest.mark.parametrize("name", ["telephone-event", "g729"])
def test_what_there_is_none_of(name: str) -> None:
    spec = CodecSpec(name, 101, 8000)
    with pytest.raises(CodecError, match=f"there is no encoder for {name}"):
        make_encoder(spec)
    with pytest.raises(CodecError, match=f"there is no decoder for {name}"):
        make_decoder(spec)


def test_comfort_noise_is_only_decoded() -> None:
    spec = CodecSpec("cn", 13, 8000)
    assert make_decoder(spec).decode(b"\x20") != bytes(320)
    with pytest.raises(CodecError, match="there is no encoder for cn"):
        make_encoder(spec)


@pytest.mark.parametrize(
    ("ours", "peers", "limit", "rate"),
    [
        (48000, {}, None, 48000),
        (48000, {"maxaveragebitrate": "20000"}, None, 20000),
        (16000, {"maxaveragebitrate": "64000"}, None, 16000),
        (48000, {"maxaveragebitrate": "30000"}, 12000, 12000),
        (48000, {}, 0, 6000),
    ],
)
def test_the_lowest_of_all_bit_rates_counts(
    ours: int, peers: dict[str, str], limit: int | None, rate: int
) -> None:
    assert bit_rate(opus(peers, OpusOptions(bitrate=ours), limit)) == pytest.approx(rate, rel=0.3)


@pytest.mark.parametrize(("ours", "peers"), [(True, "0"), (True, None), (False, "1")])
def test_error_correction_needs_both(ours: bool, peers: str | None) -> None:
    encoder = opus({} if peers is None else {"useinbandfec": peers}, OpusOptions(fec=ours))
    encoder.set_expected_loss(20)
    decoder = make_decoder(SPECS["opus"])
    payloads = [encoder.encode(pcm) for pcm in packets(speech(48000), 48000)[:60]]
    assert [decoder.recover(payload, 960) for payload in payloads] == [None] * 60


@pytest.mark.parametrize(
    ("ours", "peers", "pauses"),
    [(None, "1", True), (None, "0", False), (True, "0", True), (False, "1", False)],
)
def test_who_decides_on_pauses(ours: bool | None, peers: str, pauses: bool) -> None:
    encoder = opus({"usedtx": peers}, OpusOptions(dtx=ours))
    assert (b"" in [encoder.encode(pcm) for pcm in packets(noise(5, 48000), 48000)]) is pauses


def test_constant_bit_rate_when_either_asks() -> None:
    for encoder in (opus({"cbr": "1"}, OpusOptions()), opus({}, OpusOptions(cbr=True))):
        assert len({len(encoder.encode(pcm)) for pcm in packets(speech(48000), 48000)[:60]}) == 1
