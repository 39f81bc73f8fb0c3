"""The benchmark of delays: what it sees in sound that was late."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.delay import EVENT, RATE, arrivals, delays, onset, recovery
from benchmarks.speech_quality import TICK


def test_delays_are_seen_in_what_was_heard() -> None:
    said = np.random.default_rng(7).normal(0, 0.1, 20 * RATE)
    said[3 * RATE : 4 * RATE] = 0
    late = round(0.08 * RATE)
    heard = np.concatenate([np.zeros(late), said[: 10 * RATE], np.zeros(late), said[10 * RATE :]])
    found = dict(delays(said, heard))
    assert {round(delay, 3) for moment, delay in found.items() if moment < 9.5} == {0.08}
    assert {round(delay, 3) for moment, delay in found.items() if moment >= 10} == {0.16}
    assert not [moment for moment in found if 3.0 <= moment <= 3.6]


@pytest.mark.parametrize(
    ("after", "end", "back"),
    [([0.04, 0.04, 0.04], 0.04, 1.0), ([0.3, 0.1, 0.06], 0.06, 7.0), ([0.3, 0.1, 0.1], 0.1, math.inf)],
)
def test_when_a_delay_is_back(after: list[float], end: float, back: float) -> None:
    before = [(float(moment), 0.04) for moment in range(2, 8)]
    later = [(EVENT + 1 + 3 * index, delay) for index, delay in enumerate(after)]
    assert recovery(before + later) == (0.04, end, back)


def test_troubles() -> None:
    payloads = [b"x"] * 500
    assert len(arrivals(payloads, "lost")) == 499
    stalled = arrivals(payloads, "stall")
    assert len(stalled) == 500
    late = [sent for sent in stalled if sent.arrival > sent.number * TICK + 1e-9]
    assert len(late) == 9
    assert {sent.arrival for sent in late} == {EVENT + 0.2}


def test_the_first_sample_of_a_tone() -> None:
    loud = (np.ones(960) * 8000).astype("<i2")
    loud[:480] = 0
    heard = [(1.0, loud.tobytes()), (2.0, bytes(1920)), (2.02, loud.tobytes())]
    assert onset(heard, 1.5) == pytest.approx(2.03)
    with pytest.raises(RuntimeError):
        onset(heard, 3.0)
