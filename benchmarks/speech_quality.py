"""Speech over a link that loses and shakes: sipua's playout beside aiortc's jitter buffer and decoder, same packets.

The link is simulated: each packet is lost with the probability given, or comes between 0 and the jitter given
later than sent. A player takes 20 ms every 20 ms; where plain aiortc has none, it plays silence. Where baresip
is installed, it gets the packets of the first pass in a real call, at the same times. Measured are segmental
SNR and log-spectral distance, each third of a second put in its place before; PESQ (ITU-T P.862) when the
package `pesq` is installed; and the delay from sending to hearing. Medians over several passes.
"""

from __future__ import annotations

import random
import statistics
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from benchmarks import _baresip
from benchmarks._common import ROOT, Figure, Report, main, options, progress
from benchmarks._quality import Quality
from benchmarks._quality import measure as judge
from sipua.media.codecs import CodecSpec, make_decoder, make_encoder
from sipua.media.engine.playout import Playout, PlayoutStats
from sipua.media.files import decode_file
from sipua.media.pcm import Resampler, pcm_of, samples_per_frame, silence

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

SPEECH = ROOT / "examples" / "audio" / "speech.wav"
TICK = 0.02
LOSSES = (0.0, 0.01, 0.05, 0.10)
JITTERS = (0.0, 0.03, 0.08)
TAIL = 40
"""Pulls after the last packet was sent: what waits in buffers is heard, too."""

CODECS = {
    "pcmu": (CodecSpec("pcmu", 0, 8000), "audio/PCMU", 8000),
    "g722": (CodecSpec("g722", 9, 8000), "audio/G722", 16000),
    "opus": (CodecSpec("opus", 111, 48000, 2, {"useinbandfec": "1"}), "audio/opus", 16000),
}
"""What is negotiated, its name for aiortc, and the rate at which it is judged."""


CALLED_QUICKLY = {("pcmu", 0.0, 0.0), ("pcmu", 0.05, 0.03)}
"""The links on which baresip is called with --quick: its calls are in real time."""
TRIES, LATE = 2, 0.03
"""A call is made again when this machine sent a packet later than LATE seconds after its time."""

Link = tuple[str, float, float]
"""Codec, loss, jitter."""


MEASURES = (("pesq", "PESQ"), ("snr", "SNR dB"), ("distance", "LSD dB"), ("delay", "delay ms"))


class Sent(NamedTuple):
    arrival: float
    number: int
    payload: bytes


class Heard(NamedTuple):
    pcm: bytes
    rate: int
    stats: PlayoutStats | None


def speech(rate: int, repeats: int) -> bytes:
    pcm = decode_file(SPEECH, rate) * repeats
    return pcm[: len(pcm) // (2 * samples_per_frame(rate)) * 2 * samples_per_frame(rate)]


def packets(codec: str, repeats: int, loss: float) -> list[bytes]:
    """The payloads. The encoder knows of the loss, as it does in a call by the peer's reports."""
    encoder = make_encoder(CODECS[codec][0])
    encoder.set_expected_loss(100 * loss)
    pcm, size = speech(encoder.rate, repeats), 2 * samples_per_frame(encoder.rate)
    return [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm), size)]


def link(payloads: list[bytes], loss: float, jitter: float, rnd: random.Random) -> list[Sent]:
    """What arrives, in the order of arrival."""
    return sorted(
        Sent(index * TICK + rnd.random() * jitter, index, payload)
        for index, payload in enumerate(payloads)
        if rnd.random() >= loss
    )


def ours(codec: str, arrivals: list[Sent], ticks: int, phase: float) -> Heard:
    spec = CODECS[codec][0]
    decoder = make_decoder(spec)
    playout = Playout({spec.payload_type: decoder}.get, rate=decoder.rate)
    waiting, heard = deque(arrivals), []
    step = spec.clock_rate // 50
    for tick in range(ticks):
        now = tick * TICK + phase
        while waiting and waiting[0].arrival <= now:
            p = waiting.popleft()
            playout.put(spec.payload_type, p.number & 0xFFFF, p.number * step, False, p.payload, p.arrival)
        heard.append(playout.pull(now))
    return Heard(b"".join(heard), decoder.rate, playout.stats)


def plain(codec: str, arrivals: list[Sent], ticks: int, phase: float) -> Heard:
    """The parts of aiortc's receiver between the packet and the track, as it puts them together."""
    spec, mime, _ = CODECS[codec]
    decoder = get_decoder(RTCRtpCodecParameters(mime, spec.clock_rate, spec.channels, spec.payload_type))
    buffer = JitterBuffer(capacity=16, prefetch=4)
    rate = make_decoder(spec).rate
    waiting, ready, heard = deque(arrivals), deque[bytes](), []
    for tick in range(ticks):
        now = tick * TICK + phase
        while waiting and waiting[0].arrival <= now:
            p = waiting.popleft()
            packet = RtpPacket(spec.payload_type, 0, p.number & 0xFFFF, p.number * spec.clock_rate // 50)
            packet._data = p.payload  # type: ignore[attr-defined]
            _, frame = buffer.add(packet)
            if frame is not None:
                ready.extend(pcm_of(part) for part in decoder.decode(frame))
        heard.append(ready.popleft() if ready else silence(samples_per_frame(rate)))
    return Heard(b"".join(heard), rate, None)


def samples(pcm: bytes, rate: int, wanted: int) -> NDArray[np.float64]:
    resampler = Resampler(rate, wanted)
    return np.frombuffer(resampler(pcm) + resampler.flush(), "<i2").astype(np.float64) / 32768


def one(
    codec: str, loss: float, jitter: float, seed: int, payloads: list[bytes], said: NDArray[np.float64]
) -> tuple[dict[str, Quality], PlayoutStats]:
    rnd = random.Random(seed)
    # The clocks of sender and player have nothing in common.
    phase = rnd.random() * TICK
    arrivals = link(payloads, loss, jitter, rnd)
    ticks = len(payloads) + TAIL
    mine, theirs = ours(codec, arrivals, ticks, phase), plain(codec, arrivals, ticks, phase)
    judged = CODECS[codec][2]
    found = {
        name: quality._replace(delay=quality.delay + phase)
        for name, heard in (("sipua", mine), ("aiortc", theirs))
        for quality in (judge(said, samples(heard.pcm, heard.rate, judged), judged),)
    }
    assert mine.stats is not None
    return found, mine.stats


def called(links: list[Link], repeats: int) -> tuple[dict[Link, Quality], str]:
    """What baresip makes of the first pass's packets on these links, and a note on it."""
    if _baresip.modules() is None:
        return {}, "baresip was not measured: it is not installed."
    found: dict[Link, Quality] = {}
    failed, behind = [], 0.0
    for way in links:
        codec, loss, jitter = way
        progress(f"speech_quality: baresip, {codec}, {loss:.0%} lost, {jitter * 1000:.0f} ms")
        try:
            back = call(way, packets(codec, repeats, loss))
        except _baresip.BaresipError as error:
            failed.append(f"{codec}, {loss:.0%}, {jitter * 1000:.0f} ms: {error}")
            continue
        judged = CODECS[codec][2]
        said = samples(speech(judged, repeats), judged, judged)
        found[way] = judge(said, since(samples(back.pcm, back.rate, judged), back.start, judged), judged)
        behind = max(behind, back.behind)
    note = (
        f"baresip {_baresip.version()}: one real call per link, with its packet loss concealment switched on; "
        f"packets were sent at most {1000 * behind:.0f} ms late."
    )
    return found, "\n".join([note, *(f"baresip failed: {text}" for text in failed)])


def call(way: Link, payloads: list[bytes]) -> _baresip.Back:
    codec, loss, jitter = way
    spec = CODECS[codec][0]
    rate = make_decoder(spec).rate
    rnd = random.Random(0)
    rnd.random()  # The phase, which here is baresip's own.
    arrivals, tries = link(payloads, loss, jitter, rnd), []
    with _baresip.running(rate) as port:
        for _ in range(TRIES):
            tries.append(_baresip.play(port, spec, rate, arrivals, (len(payloads) + TAIL) * TICK))
            if tries[-1].behind <= LATE:
                break
    return min(tries, key=lambda back: back.behind)


def since(heard: NDArray[np.float64], start: float, rate: int) -> NDArray[np.float64]:
    """What was heard from second 0 on, when it is known from second `start` on."""
    at = round(start * rate)
    return heard[-at:] if at < 0 else np.concatenate((np.zeros(at), heard))


def parser() -> argparse.ArgumentParser:
    made = options(__doc__, passes=(3, 1), repeats=(2, 2))
    made.add_argument("--without-baresip", action="store_true", help="no calls to it, though it is installed")
    return made


def measure(arguments: argparse.Namespace) -> Report:
    report = Report(
        "speech_quality",
        f"Speech under loss and jitter ({arguments.passes} passes of the text {arguments.repeats} times)",
        {"passes": arguments.passes, "repeats": arguments.repeats, "speech": SPEECH.name},
    )
    links = [(codec, loss, jitter) for codec in CODECS for loss in LOSSES for jitter in JITTERS]
    wanted = [way for way in links if not arguments.quick or way in CALLED_QUICKLY]
    others, note = (
        ({}, "baresip was not measured: --without-baresip.")
        if arguments.without_baresip
        else called(wanted, arguments.repeats)
    )
    report.notes.append(note)
    cells: dict[Link, dict[str, Any]] = {}
    whole = []
    for codec in CODECS:
        judged = CODECS[codec][2]
        said = samples(speech(judged, arguments.repeats), judged, judged)
        for loss in LOSSES:
            payloads = packets(codec, arguments.repeats, loss)
            for jitter in JITTERS:
                progress(f"speech_quality: {codec}, {loss:.0%} lost, {jitter * 1000:.0f} ms")
                passes = [one(codec, loss, jitter, n, payloads, said) for n in range(arguments.passes)]
                cells[codec, loss, jitter] = row = fill(codec, loss, jitter, [found for found, _ in passes])
                row.update(beside(others.get((codec, loss, jitter))))
                report.rows.append(row)
                if loss == 0.05:
                    whole += [delivered(stats, codec, len(payloads)) for _, stats in passes]
    progress("")
    figures(report, cells, min(whole))
    return report


def delivered(stats: PlayoutStats, codec: str, sent: int) -> float:
    """The share of frames that were played or concealed."""
    frame = samples_per_frame(make_decoder(CODECS[codec][0]).rate)
    gone = stats.late + stats.duplicates + stats.discarded
    return min(1.0, (stats.received - gone + stats.recovered + stats.concealed / frame) / sent)


def fill(codec: str, loss: float, jitter: float, passes: list[dict[str, Quality]]) -> dict[str, Any]:
    row: dict[str, Any] = {"codec": codec, "lost %": round(100 * loss), "jitter ms": round(1000 * jitter)}
    for measured, title in MEASURES:
        for name in ("sipua", "aiortc"):
            values = [getattr(found[name], measured) for found in passes]
            if None in values:
                continue
            row[f"{title} {name}"] = rounded(measured, statistics.median(values))
    return row


def beside(quality: Quality | None) -> dict[str, Any]:
    """baresip's part of a row; without a call, nothing is known."""
    return {
        f"{title} baresip": None if value is None else rounded(measured, value)
        for measured, title in MEASURES
        for value in (getattr(quality, measured, None),)
    }


def rounded(measured: str, value: float) -> float:
    return round(value * 1000) if measured == "delay" else round(value, 2)


def figures(report: Report, cells: dict[Link, dict[str, Any]], whole: float) -> None:
    report.figures.append(Figure("frames played or concealed at 5 % loss", 100 * whole, "%", least=99.0))
    for other, least in (("aiortc", 0.0), ("baresip", None)):
        for title, sign in (("PESQ", 1), ("SNR dB", 1), ("LSD dB", -1)):
            better = [
                sign * (row[f"{title} sipua"] - row[f"{title} {other}"])
                for (_, loss, jitter), row in cells.items()
                if f"{title} sipua" in row and row.get(f"{title} {other}") is not None and (loss or jitter)
            ]
            if better:
                name = f"{title}: better than {other} by (median of lossy links)"
                report.figures.append(Figure(name, statistics.median(better), "", least=least))
    clean = [row["delay ms sipua"] for (_, loss, jitter), row in cells.items() if not loss and not jitter]
    report.figures.append(
        Figure("delay of the playout on a perfect link", statistics.median(clean), "ms", most=40)
    )
    if not any("PESQ sipua" in row for row in cells.values()):
        report.notes.append("PESQ was not measured: the package pesq is not installed (pip install pesq).")


if __name__ == "__main__":
    main(parser(), measure)
