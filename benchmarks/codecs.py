"""CPU time of every codec for 20 ms of speech, beside aiortc's own; Opus by complexity and with what SILK is for.

How much of the speech comes out is its correlation with what went in.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from aiortc.codecs import G722_CODEC, PCMA_CODEC, PCMU_CODEC, get_decoder, get_encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from benchmarks._common import ROOT, Figure, Report, main, options, progress, spread
from sipua.media.analysis import correlate
from sipua.media.codecs import CodecSpec, make_decoder, make_encoder
from sipua.media.codecs.opus import OpusDecoder, OpusEncoder
from sipua.media.files import decode_file
from sipua.media.pcm import Resampler, frame_of, pcm_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from sipua.media.codecs import AudioDecoder, AudioEncoder

SPEECH = ROOT / "examples" / "audio" / "speech.wav"
SPECS = {
    "pcmu": (CodecSpec("pcmu", 0, 8000), PCMU_CODEC),
    "pcma": (CodecSpec("pcma", 8, 8000), PCMA_CODEC),
    "g722": (CodecSpec("g722", 9, 8000), G722_CODEC),
    "opus": (CodecSpec("opus", 96, 48000, 2), RTCRtpCodecParameters("audio/opus", 48000, 2, payloadType=96)),
}
COMPLEXITIES = (0, 1, 2, 5, 7, 10)
LOSS = 5
MOST_G711 = 5.0
LEAST_OPUS = 2.5


def frames_of(rate: int) -> list[bytes]:
    pcm, size = decode_file(SPEECH, rate), rate // 50 * 2
    return [pcm[start : start + size] for start in range(0, len(pcm) - size + 1, size)]


def timed(work: Callable[[Any], Any], things: Sequence[Any]) -> tuple[float, list[Any]]:
    """CPU microseconds for each of them, and what came of it."""
    began = time.process_time()
    results = [work(thing) for thing in things]
    return (time.process_time() - began) / len(things) * 1e6, results


def ours(
    make: Callable[[], AudioEncoder], decoder_of: Callable[[], AudioDecoder], rounds: int
) -> tuple[list[float], list[float], dict[str, Any]]:
    """Times of each round, and what is to be said of the last."""
    encoding, decoding, row = [], [], {}
    for _ in range(rounds):
        encoder, decoder = make(), decoder_of()
        cost, payloads = timed(encoder.encode, frames_of(encoder.rate))
        encoding.append(cost)
        cost, heard = timed(decoder.decode, payloads)
        decoding.append(cost)
        pcm = b"".join(heard)
        narrow = pcm if decoder.rate == 8000 else Resampler(decoder.rate, 8000)(pcm)
        row = {
            "kbit_s": sum(map(len, payloads)) * 8 / 20 / len(payloads),
            "correlation": correlate(SPEECH, narrow).correlation,
        }
    return encoding, decoding, row


def plain(codec: RTCRtpCodecParameters, rate: int, rounds: int) -> tuple[list[float], list[float]]:
    """The same by aiortc, from PCM to PCM as well."""
    encoding, decoding = [], []
    for _ in range(rounds):
        encoder, decoder = get_encoder(codec), get_decoder(codec)
        numbered = list(enumerate(frames_of(rate)))

        def encode(item: tuple[int, bytes], encoder: Any = encoder) -> list[bytes]:
            payloads: list[bytes] = encoder.encode(frame_of(item[1], rate, item[0] * rate // 50))[0]
            return payloads

        def decode(item: tuple[int, bytes], decoder: Any = decoder) -> list[bytes]:
            return [pcm_of(frame) for frame in decoder.decode(JitterFrame(item[1], item[0] * rate // 50))]

        cost, payloads = timed(encode, numbered)
        encoding.append(cost)
        cost, _ = timed(decode, list(enumerate(payload for some in payloads for payload in some)))
        decoding.append(cost)
    return encoding, decoding


def measure(arguments: argparse.Namespace) -> Report:
    rounds = arguments.rounds
    report = Report("codecs", "Codecs: CPU time of 20 ms of speech", {"rounds": rounds})
    both: dict[str, tuple[float, float]] = {}
    for name, (spec, codec) in SPECS.items():
        progress(name)
        make = partial(make_encoder, spec)
        encoding, decoding, row = ours(make, partial(make_decoder, spec), rounds)
        report.rows.append(
            {"codec": name, "encode_us": spread(encoding), "decode_us": spread(decoding), **row}
        )
        theirs = plain(codec, make().rate, rounds)
        report.rows.append(
            {"codec": f"{name}, aiortc", "encode_us": spread(theirs[0]), "decode_us": spread(theirs[1])}
        )
        both[name] = min(encoding) + min(decoding), min(theirs[0]) + min(theirs[1])
        if name == "pcmu":
            report.figures.append(Figure("PCMU, encode", min(encoding), "us", most=MOST_G711))
            report.figures.append(Figure("PCMU, decode", min(decoding), "us", most=MOST_G711))
    for lossy in (False, True):
        for complexity in COMPLEXITIES:
            progress(f"opus, complexity {complexity}")

            def make_opus(complexity: int = complexity, lossy: bool = lossy) -> OpusEncoder:
                encoder = OpusEncoder(complexity=complexity, fec=lossy)
                encoder.set_expected_loss(LOSS if lossy else 0)
                return encoder

            encoding, decoding, row = ours(make_opus, OpusDecoder, rounds)
            words = f"opus, complexity {complexity}" + (f", FEC at {LOSS} % loss" if lossy else "")
            report.rows.append(
                {"codec": words, "encode_us": spread(encoding), "decode_us": spread(decoding), **row}
            )
    report.figures += [
        Figure(f"{name}: aiortc / sipua", theirs / mine, "x", least=LEAST_OPUS if name == "opus" else None)
        for name, (mine, theirs) in both.items()
    ]
    return report


def parser() -> argparse.ArgumentParser:
    return options(__doc__, rounds=(5, 1))


if __name__ == "__main__":
    main(parser(), measure)
