"""A day of RTP from a sender whose clock is off by 100 ppm: does the delay grow, is there a gap?

Simulated time, real packets of G.711: a tone without a pause, in which nothing can be hidden. Every frame that
is not just a decoded packet is looked at: a click or a hole is a level or a step between two samples that the
tone does not have. The peer's packets come with a millisecond or two of jitter.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._common import Figure, Report, main, options, progress
from sipua.media.codecs.g711 import G711Decoder, G711Encoder
from sipua.media.engine.playout import Playout

if TYPE_CHECKING:
    import argparse

PPM = 100
TICK = 0.02
FRAME = 160
TONE = 200
"""Hz: five periods a frame, so that all packets are alike."""
LEVEL = 10000
JITTER = 0.002


class Listener:
    """Looks at what is heard."""

    def __init__(self, usual: bytes) -> None:
        self.usual = usual
        self.last = np.frombuffer(usual, "<i2").astype(np.float64)
        self.steepest = float(np.abs(np.diff(np.concatenate((self.last, self.last)))).max())
        self.level = float(np.sqrt(np.mean(self.last**2)))
        self.before = usual
        self.holes = self.clicks = 0

    def hear(self, pcm: bytes) -> None:
        if pcm is not self.before and (pcm != self.usual or self.before != self.usual):
            both = np.frombuffer(self.before[-2:] + pcm, "<i2").astype(np.float64)
            self.clicks += bool(np.abs(np.diff(both)).max() > 1.2 * self.steepest)
            self.holes += bool(np.sqrt(np.mean(both**2)) < 0.8 * self.level)
        self.before = pcm


def parser() -> argparse.ArgumentParser:
    return options(__doc__, hours=(24, 1))


def measure(arguments: argparse.Namespace) -> Report:
    report = Report(
        "drift",
        f"{arguments.hours} h of RTP, the sender's clock {PPM} ppm off, simulated",
        {"hours": arguments.hours, "ppm": PPM, "jitter_ms": JITTER * 1000},
    )
    for ppm in (PPM, -PPM):
        report.rows.append(run(arguments.hours, ppm))
    rows = report.rows
    report.figures += [
        Figure("holes, clicks, lost and concealed", sum(row["faults"] for row in rows), "", most=0),
        Figure("greatest delay", max(row["delay ms, greatest"] for row in rows), "ms", most=60),
        Figure(
            "delay in the last tenth beside the first",
            max(row["last tenth"] / row["first tenth"] for row in rows),
            "×",
            most=1.5,
        ),
    ]
    return report


def run(hours: float, ppm: int) -> dict[str, float]:
    tone = (LEVEL * np.sin(2 * np.pi * TONE * np.arange(FRAME) / 8000)).astype("<i2").tobytes()
    payload = G711Encoder("pcmu").encode(tone)
    playout = Playout({0: G711Decoder("pcmu")}.get)
    listener = Listener(G711Decoder("pcmu").decode(payload))
    rnd = random.Random(1)
    ticks = round(hours * 3600 * 50)
    sent, step = 0, TICK * (1 + ppm * 1e-6)
    arrival = 0.003
    delays: list[float] = []
    begun = time.process_time()
    for tick in range(ticks):
        now = tick * TICK
        while arrival <= now:
            playout.put(0, sent & 0xFFFF, sent * FRAME & 0xFFFFFFFF, False, payload, arrival)
            sent += 1
            arrival = max(arrival, 0.003 + sent * step + rnd.random() * JITTER)
        pcm = playout.pull(now)
        # The first packets fade in over nothing.
        if tick > 5:
            listener.hear(pcm)
        if tick % 50 == 49:
            delays.append(playout.stats.delay)
        if tick % 180_000 == 0:
            progress(f"drift: {ppm:+} ppm, hour {tick // 180_000}")
    progress("")
    spent = time.process_time() - begun
    stats = playout.stats
    tenth = max(1, len(delays) // 10)
    return {
        "ppm": ppm,
        "packets": stats.received,
        "faults": listener.holes + listener.clicks + stats.lost + stats.concealed,
        "stretched ms": stats.stretched / 8,
        "compressed ms": stats.compressed / 8,
        "delay ms, least": 1000 * min(delays),
        "delay ms, greatest": 1000 * max(delays),
        "first tenth": 1000 * sum(delays[:tenth]) / tenth,
        "last tenth": 1000 * sum(delays[-tenth:]) / tenth,
        "CPU s": spent,
    }


if __name__ == "__main__":
    main(parser(), measure)
