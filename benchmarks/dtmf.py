"""Digits as named events (RFC 4733) over a link that loses, doubles and reorders packets: is each told once?

No clock and no network: packet slots of 20 ms, one after the other, with 2 % of the packets lost (and once more with
1 % doubled and 5 % overtaken by their neighbour). The sender and the receiver are those of real calls. Sequences are
compared as a whole: a digit that is lost, told twice or told in the wrong place counts.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from benchmarks._common import Figure, Report, main, options, progress
from sipua.media.dtmf import EventReceiver, EventSender
from sipua.media.interface import DTMF_TONES

if TYPE_CHECKING:
    import argparse

SLOT = 0.02
DURATION, GAP = 50, 50
CLOCK_RATES = (8000, 48000)
LOSS = 0.02


@dataclass(frozen=True)
class Link:
    """Shares of the packets that are lost, doubled, and overtaken by the next one."""

    loss: float = LOSS
    doubled: float = 0.0
    overtaken: float = 0.0


@dataclass
class Outcome:
    """What arrived of the digits that were sent."""

    sent: str
    told: str = ""
    packets: int = 0
    worst: float = 0.0
    """The largest error of a duration, in seconds."""
    delay: float = 0.0
    """The longest time from the end of a digit until it was told, in seconds."""

    @property
    def wrong(self) -> tuple[int, int]:
        """Digits that were lost, and digits too many."""
        lost = extra = 0
        if self.told != self.sent:
            for _, a, b, c, d in SequenceMatcher(None, self.sent, self.told, autojunk=False).get_opcodes():
                if self.sent[a:b] != self.told[c:d]:
                    lost, extra = lost + b - a, extra + d - c
        return lost, extra


def simulate(count: int, clock_rate: int, link: Link, seed: int = 4733) -> Outcome:
    """Send `count` random digits of 50 ms, 50 ms apart, and listen at the other end of `link`."""
    chance = random.Random(seed)
    outcome = Outcome("".join(chance.choices(DTMF_TONES, k=count)))
    sender, receiver = EventSender(clock_rate), EventReceiver(clock_rate)
    sender.queue(outcome.sent, DURATION, GAP)
    timestamp, sequence, now, samples = chance.getrandbits(32), 0, 0.0, int(clock_rate * SLOT)
    ends = [n * (DURATION + GAP) / 1000 + DURATION / 1000 for n in range(count)]
    kept_back: tuple[bytes, int, bool, int] | None = None

    def arrive(packet: tuple[bytes, int, bool, int]) -> None:
        for event in receiver.packet(*packet, now):
            tell(event.duration)
            outcome.told += event.tone

    def tell(duration: float) -> None:
        outcome.worst = max(outcome.worst, abs(duration - DURATION / 1000))
        if len(outcome.told) < count:
            outcome.delay = max(outcome.delay, now - ends[len(outcome.told)])

    while sender.active or now < ends[-1] + 1.0:
        event_packet = sender.next(timestamp, samples)
        now += SLOT
        if event_packet is not None:
            packet = (event_packet.payload, event_packet.timestamp, event_packet.marker, sequence & 0xFFFF)
            outcome.packets += 1
            if chance.random() < link.overtaken and kept_back is None:
                kept_back = packet
            elif chance.random() >= link.loss:
                for _ in range(2 if chance.random() < link.doubled else 1):
                    arrive(packet)
                if kept_back is not None:
                    arrive(kept_back)
                    kept_back = None
        for event in receiver.tick(now):
            tell(event.duration)
            outcome.told += event.tone
        sequence += 1
        timestamp = (timestamp + samples) % 2**32
    return outcome


def measure(arguments: argparse.Namespace) -> Report:
    report = Report(
        "dtmf",
        f"{arguments.digits} digits by RFC 4733, {DURATION} ms each and {GAP} ms apart",
        {"digits": arguments.digits, "duration_ms": DURATION, "gap_ms": GAP},
    )
    wrong = 0
    for clock_rate in CLOCK_RATES:
        for link in (Link(), Link(doubled=0.01, overtaken=0.05)):
            progress(f"{clock_rate} Hz, {link}")
            began = time.process_time()
            outcome = simulate(arguments.digits, clock_rate, link)
            seconds = time.process_time() - began
            lost, extra = outcome.wrong
            wrong += lost + extra
            report.rows.append(
                {
                    "clock": clock_rate,
                    "loss": link.loss,
                    "doubled": link.doubled,
                    "overtaken": link.overtaken,
                    "digits": len(outcome.sent),
                    "packets": outcome.packets,
                    "digits_lost": lost,
                    "digits_extra": extra,
                    "worst_duration_error_ms": outcome.worst * 1000,
                    "longest_delay_ms": outcome.delay * 1000,
                    "us_per_packet": seconds / outcome.packets * 1e6,
                }
            )
    report.figures.append(Figure("digits lost or told twice", wrong, "digits", most=0))
    return report


def parser() -> argparse.ArgumentParser:
    return options(__doc__, digits=(10_000, 1_000))


if __name__ == "__main__":
    main(parser(), measure)
