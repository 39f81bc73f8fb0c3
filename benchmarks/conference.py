"""CPU time of a conference's tick of 20 ms: by the number of members, how many of them talk, and their codecs' rates.

Decoding and encoding are not in it; `benchmarks.codecs` has them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks._common import ROOT, Figure, Report, main, options, progress, spread
from sipua import Conference
from sipua.emitter import Emitter
from sipua.media.engine.clock import TICK, AudioClock, Phase
from sipua.media.files import decode_file
from sipua.media.pcm import SAMPLE_BYTES, samples_per_frame, silence
from sipua.media.port import CallAudio
from sipua.testing import run_simulated

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

SPEECH = ROOT / "examples" / "audio" / "speech.wav"
RATES = {"8 kHz": (8000,), "48 kHz": (48000,), "8, 16 and 48 kHz": (8000, 16000, 48000)}
MEMBERS = 50
TALKING = (0, 3, 50)
#: CPU milliseconds.
MOST = 2.0


class Call(Emitter):
    """Audio without a network."""

    event_names = frozenset({"ended", "failed"})

    def __init__(self, rate: int, speech: bytes) -> None:
        super().__init__()
        self.audio = CallAudio(print, asyncio.get_running_loop().time)
        self.audio.outlet.set_rate(rate)
        self.rate = rate
        size = samples_per_frame(rate) * SAMPLE_BYTES
        self.frames = [speech[at : at + size] for at in range(0, len(speech) - size + 1, size)]
        self.next = 0

    def is_ended(self) -> bool:
        return False

    def is_on_hold(self) -> dict[str, bool]:
        return {"local": False, "remote": False}

    def speak(self, now: float, missed: int) -> None:
        self.next += 1
        pcm = (
            self.frames[self.next % len(self.frames)]
            if self.frames
            else silence(samples_per_frame(self.rate))
        )
        self.audio.heard(pcm, self.rate)

    def listen(self, now: float, missed: int) -> None:
        self.audio.outlet.pull()


async def ticks(members: int, talking: int, rates: Sequence[int], count: int) -> list[float]:
    """CPU seconds of the mixing phase of each tick."""
    clock, spent = AudioClock.running(), []
    speech = {rate: decode_file(SPEECH, rate) for rate in rates}
    began = 0.0

    def begin(now: float, missed: int) -> None:
        nonlocal began
        began = time.process_time()

    def end(now: float, missed: int) -> None:
        spent.append(time.process_time() - began)

    clock.add(Phase.MIX, begin)
    room, calls = Conference(), []
    for number in range(members):
        rate = rates[number % len(rates)]
        call = Call(rate, speech[rate] if number < talking else b"")
        call.next = 97 * number
        room.join(call)
        calls.append(call)
        clock.add(Phase.RECEIVE, call.speak)
        clock.add(Phase.SEND, call.listen)
    clock.add(Phase.MIX, end)
    await asyncio.sleep(count * TICK)
    room.close()
    for phase, subscriber in [(Phase.MIX, begin), (Phase.MIX, end)]:
        clock.remove(phase, subscriber)
    for call in calls:
        clock.remove(Phase.RECEIVE, call.speak)
        clock.remove(Phase.SEND, call.listen)
    return spent[count // 10 :]


def measure(arguments: argparse.Namespace) -> Report:
    report = Report(
        "conference",
        "Conference: CPU time of the mix in a tick",
        {"ticks": arguments.ticks, "members": MEMBERS},
    )
    for words, rates in RATES.items():
        for talking in TALKING:
            progress(f"{words}, {talking} talk")
            spent = spread(1000 * t for t in run_simulated(ticks(MEMBERS, talking, rates, arguments.ticks)))
            report.rows.append({"members": MEMBERS, "rates": words, "talking": talking, "tick_ms": spent})
            report.figures.append(
                Figure(f"{MEMBERS} members, {words}, {talking} talk", spent.median, "ms", most=MOST)
            )
    return report


def parser() -> argparse.ArgumentParser:
    return options(__doc__, ticks=(500, 100))


if __name__ == "__main__":
    main(parser(), measure)
