"""Delay: from mouth to ear over loopback, and how long it stays after a lost packet and after a stall of the network.

From mouth to ear: two calls' ends, each in an event loop of its own, whose clocks have nothing in common, speak and
listen over loopback (ICE, DTLS-SRTP, 20 ms). The delay is from the first sample of a tone, as a microphone would
take it (20 ms have to be full before they are sent), until it is played.

Then speech goes over a simulated link to sipua's playout and, with the same packets, to aiortc's jitter buffer and
decoder: once one packet is lost, once nothing arrives for 200 ms, and then all of it at once. The delay of each 0.4 s
is found by correlation; it is back when it is within a packet of what it was before, and stays so.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from benchmarks._common import Figure, Report, main, options, progress, spread
from benchmarks.speech_quality import CODECS, TAIL, TICK, Sent, ours, packets, plain, samples, speech
from sipua.media.interface import MediaOptions
from sipua.media.rtc import RtcMedia
from sipua.media.sources import Tone

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Iterator

    from numpy.typing import NDArray

T = TypeVar("T")

RATE = 8000
"""Hz at which delays in speech are looked for."""
WINDOW, STEP, LONGEST = 0.4, 0.2, 0.4
REPEATS = 6
"""Of the text: half a minute of speech."""
EVENT = 8.0
"""Seconds after which something goes wrong."""
BACK = 0.025
"""A packet, and the 5 ms by which playout lets its delay be off."""
PHASE = TICK / 2
"""Between the arrival of packets and the moments when the player takes some."""
LIMITS = {"lost": ("one packet lost", 2.0), "stall": ("nothing for 200 ms", 5.0)}
WORDS = {"pcmu": "PCMU", "g722": "G722", "opus": "opus"}


# --- from mouth to ear --------------------------------------------------------------------------------------


@contextmanager
def other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def mouth_to_ear(codec: str, tones: int, there: asyncio.AbstractEventLoop) -> list[float]:
    """Seconds that each of so many tones takes to the ear."""

    async def on(work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, there))

    heard: list[tuple[float, bytes]] = []

    async def listen() -> RtcMedia:
        made = media(codec)
        reader = made.audio.read(48000, max_queued=60)

        async def collect() -> None:
            async for chunk in reader:
                heard.append((chunk.time, chunk))  # noqa: PERF401 - while it comes

        tasks.append(asyncio.get_running_loop().create_task(collect()))
        return made

    tasks: list[asyncio.Task[None]] = []
    mouth, ear = media(codec), await on(listen())
    try:
        await mouth.apply_answer(await on(ear.create_answer(await mouth.create_offer())))
        while not (mouth.state == ear.state == "connected"):  # noqa: ASYNC110 - they are in two loops
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        said = []
        for _ in range(tones):
            utterance = await mouth.audio.write(Tone(1000, level=-10).open(48000).read(2880), 48000)
            await asyncio.sleep(0.3 + random.random() / 10)
            assert utterance.started is not None
            said.append(utterance.started)
    finally:
        await mouth.close()
        await on(ear.close())
    return [onset(heard, moment) - moment + TICK for moment in said]


def media(codec: str) -> RtcMedia:
    return RtcMedia(MediaOptions(codecs=(WORDS[codec],), ice_host_addresses=("127.0.0.1",)))


def onset(heard: list[tuple[float, bytes]], after: float) -> float:
    """When the first tone after this moment was heard to begin."""
    for time, pcm in heard:
        loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 4000)
        if time >= after and len(loud):
            return time + float(loud[0]) / 48000
    raise RuntimeError("a tone was not heard")


# --- after something went wrong -----------------------------------------------------------------------------


def arrivals(payloads: list[bytes], what: str) -> list[Sent]:
    found = []
    for index, payload in enumerate(payloads):
        moment = index * TICK
        if what == "lost" and index == round(EVENT / TICK):
            continue
        if what == "stall" and EVENT < moment < EVENT + 0.2:
            moment = EVENT + 0.2
        found.append(Sent(moment, index, payload))
    return found


def delays(said: NDArray[np.float64], heard: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Moments (in what was said) and the delays there, where these are to be seen."""
    window, longest = int(WINDOW * RATE), int(LONGEST * RATE)
    found = []
    for start in range(0, len(said) - window - longest, int(STEP * RATE)):
        piece = said[start : start + window]
        around = heard[start : start + window + longest]
        if len(around) < window + longest or piece.std() < 0.01:
            continue
        products = np.correlate(around, piece, "valid")
        energy = np.sqrt(np.convolve(around**2, np.ones(window), "valid") * piece.dot(piece)) + 1e-9
        likeness = products / energy
        best = int(likeness.argmax())
        if likeness[best] > 0.9:
            found.append((start / RATE, best / RATE))
    return found


def recovery(found: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The delay before, the one at the end, and the seconds until it was back for good (inf: it never was)."""
    before = statistics.median(delay for moment, delay in found if 2.0 < moment < EVENT - WINDOW)
    after = [(moment, delay) for moment, delay in found if moment > EVENT]
    if not [delay for moment, delay in after if moment > EVENT + 5]:
        raise RuntimeError("what was heard is not what was said")
    late = [moment for moment, delay in after if delay > before + BACK]
    if late and late[-1] == after[-1][0]:
        return before, after[-1][1], math.inf
    # What was not to be seen meanwhile was not back either.
    back = next(moment for moment, _ in after if not late or moment > late[-1])
    return before, after[-1][1], max(0.0, back - EVENT)


# --- the report ---------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    return options(__doc__, calls=(8, 3), tones=(10, 5))


def measure(arguments: argparse.Namespace) -> Report:
    report = Report(
        "delay",
        f"Delay ({arguments.calls} calls with {arguments.tones} tones each; speech over a simulated link)",
        {"calls": arguments.calls, "tones": arguments.tones},
    )
    for codec in CODECS:
        progress(f"delay: {codec}, from mouth to ear")
        with other_loop() as there:
            found = [
                delay
                for _ in range(arguments.calls)
                for delay in asyncio.run(mouth_to_ear(codec, arguments.tones, there))
            ]
        report.rows.append({"codec": codec, "mouth to ear ms": spread(1000 * delay for delay in found)})
        median = 1000 * statistics.median(found)
        report.figures.append(Figure(f"mouth to ear, {codec}, median", median, "ms", most=60))
    for what, (title, limit) in LIMITS.items():
        for codec in CODECS:
            progress(f"delay: {codec}, {title}")
            report.rows.append(row := recoveries(codec, what))
            seconds = row["back after s sipua"]
            # JSON knows no infinity: what never came back counts as long as it was looked at.
            value = len(speech(RATE, REPEATS)) / (2 * RATE) - EVENT if seconds == "never" else seconds
            report.figures.append(Figure(f"back after {title}, {codec}", value, "s", most=limit))
    progress("")
    return report


def recoveries(codec: str, what: str) -> dict[str, Any]:
    payloads = packets(codec, REPEATS, 0.0)
    said = samples(speech(RATE, REPEATS), RATE, RATE)
    row: dict[str, Any] = {"codec": codec, "trouble": LIMITS[what][0]}
    players: dict[str, Callable[..., Any]] = {"sipua": ours, "aiortc": plain}
    for name, play in players.items():
        heard = play(codec, arrivals(payloads, what), len(payloads) + TAIL, PHASE)
        before, end, back = recovery(delays(said, samples(heard.pcm, heard.rate, RATE)))
        row[f"before ms {name}"] = round(1000 * (before + PHASE))
        row[f"at the end ms {name}"] = round(1000 * (end + PHASE))
        row[f"back after s {name}"] = "never" if math.isinf(back) else round(back, 2)
    return row


if __name__ == "__main__":
    main(parser(), measure)
