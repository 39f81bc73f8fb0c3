"""G.711 by table, against the algorithm for one sample (ITU-T G.191, ulaw_compress and so on)."""

from __future__ import annotations

from array import array

import pytest

from sipua.media.codecs import CodecError
from sipua.media.codecs.g711 import G711Decoder, G711Encoder, Law


def compress_mu(sample: int) -> int:
    size = min((~sample >> 2 if sample < 0 else sample >> 2) + 33, 0x1FFF)
    segment = next(n for n in range(1, 9) if size >> (6 + n - 1) == 0)
    code = (8 - segment) << 4 | (15 - (size >> segment & 15))
    return code if sample < 0 else code | 0x80


def expand_mu(code: int) -> int:
    sign, mantissa = (-1 if code < 0x80 else 1), ~code
    exponent = mantissa >> 4 & 7
    step = 4 << (exponent + 1)
    return sign * ((0x80 << exponent) + step * (mantissa & 15) + step // 2 - 4 * 33)


def compress_a(sample: int) -> int:
    size = ~sample >> 4 if sample < 0 else sample >> 4
    if size > 15:
        exponent = 1
        while size > 16 + 15:
            size >>= 1
            exponent += 1
        size = size - 16 + (exponent << 4)
    return (size if sample < 0 else size | 0x80) ^ 0x55


def expand_a(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    size = mantissa + 16 if exponent else mantissa
    size = (size << 4) + 8
    size <<= max(exponent - 1, 0)
    return size if code > 127 else -size


ALGORITHMS = {"pcmu": (compress_mu, expand_mu), "pcma": (compress_a, expand_a)}
EVERY_SAMPLE = array("h", range(-32768, 32768))
LAWS: list[Law] = ["pcmu", "pcma"]


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_is_encoded_as_the_algorithm_does(law: Law) -> None:
    compress = ALGORITHMS[law][0]
    assert G711Encoder(law).encode(EVERY_SAMPLE.tobytes()) == bytes(map(compress, EVERY_SAMPLE))


@pytest.mark.parametrize("law", LAWS)
def test_every_code_word_is_decoded_as_the_algorithm_does(law: Law) -> None:
    expand = ALGORITHMS[law][1]
    decoded = array("h", G711Decoder(law).decode(bytes(range(256))))
    assert decoded.tolist() == [expand(code) for code in range(256)]


@pytest.mark.parametrize("law", LAWS)
def test_what_was_decoded_is_encoded_as_it_was(law: Law) -> None:
    codes = bytes(range(256))
    again = G711Encoder(law).encode(G711Decoder(law).decode(codes))
    # The mu-law has two code words for 0.
    assert again == (codes.replace(b"\x7f", b"\xff") if law == "pcmu" else codes)


def test_well_known_values() -> None:
    assert G711Encoder("pcmu").encode(bytes(4)) == b"\xff\xff"
    assert G711Encoder("pcma").encode(bytes(4)) == b"\xd5\xd5"
    assert array("h", G711Decoder("pcmu").decode(b"\x80\x00")).tolist() == [32124, -32124]
    assert array("h", G711Decoder("pcma").decode(b"\xaa\x2a")).tolist() == [32256, -32256]


@pytest.mark.parametrize("law", LAWS)
def test_what_does_not_fit(law: Law) -> None:
    encoder, decoder = G711Encoder(law), G711Decoder(law)
    assert (encoder.rate, encoder.clock_rate, decoder.rate, decoder.clock_rate) == (8000,) * 4
    with pytest.raises(CodecError, match="3 bytes are no whole number of samples"):
        encoder.encode(bytes(3))
    assert encoder.encode(b"") == b""
    assert decoder.duration(bytes(80)) == 80
    assert (decoder.recover(bytes(160), 160), decoder.conceal(160)) == (None, None)
    for use in (decoder.duration, decoder.decode):
        with pytest.raises(CodecError, match="empty payload"):
            use(b"")
