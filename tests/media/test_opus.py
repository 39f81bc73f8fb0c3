"""The Opus encoder."""

from __future__ import annotations

from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from av.packet import Packet

from sipua.media.analysis import correlate
from sipua.media.files import decode_file
from sipua.media.opus import OpusEncoder
from sipua.media.pcm import frame_of, pcm_of, time_base
from tests.media.calls import SPEECH


def encode(rate: int) -> list[tuple[list[bytes], int]]:
    encoder, pcm, samples = OpusEncoder(), decode_file(SPEECH, rate), rate // 50
    return [
        encoder.encode(frame_of(pcm[start : start + 2 * samples], rate, start // 2))
        for start in range(0, len(pcm) - 2 * samples, 2 * samples)
    ]


def test_one_packet_a_frame_with_time_stamps_in_step() -> None:
    packets = encode(48000)
    assert all(len(payloads) == 1 for payloads, _ in packets)
    assert [stamp for _, stamp in packets] == [960 * n for n in range(len(packets))]
    assert sum(len(payloads[0]) for payloads, _ in packets) * 8 / 5.3 < 56000


def test_the_wave_form_survives() -> None:
    decoder, pcm = OpusDecoder(), b""
    for payloads, stamp in encode(48000):
        for frame in decoder.decode(JitterFrame(payloads[0], stamp)):
            pcm += pcm_of(frame)
    assert correlate(SPEECH, _thin(pcm)).correlation > 0.97


def _thin(pcm: bytes) -> bytes:
    from sipua.media.pcm import Resampler

    return Resampler(48000, 8000)(pcm)


def test_another_rate_is_taken_too() -> None:
    packets = [p for p in encode(8000) if p[0]]
    stamps = [stamp for _, stamp in packets]
    assert stamps == [960 * n for n in range(len(stamps))]


def test_ready_made_packets_pass() -> None:
    packet = Packet(b"abc")
    packet.pts, packet.time_base = 160, time_base(8000)
    assert OpusEncoder().pack(packet) == ([b"abc"], 960)
