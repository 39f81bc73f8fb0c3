"""The measures of speech: the same is perfect, noise is worse, a slip of the playout is not noise."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks._quality import align, measure
from benchmarks.drift import run
from benchmarks.speech_quality import LOSSES, link, one, packets, samples, speech

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 8000


def text() -> NDArray[np.float64]:
    return samples(speech(RATE, 1), RATE, RATE)


def test_the_same_is_perfect_at_any_delay() -> None:
    said = text()
    for delay in (0, 0.1, 0.4):
        heard = np.concatenate((np.zeros(round(delay * RATE)), said))
        found = measure(said, heard, RATE)
        # The last piece may not be a whole one.
        assert found.snr > 33
        assert found.distance < 0.5
        assert found.delay == pytest.approx(delay)


def test_noise_loss_and_silence_are_worse() -> None:
    said, rng = text(), np.random.default_rng(1)
    some = measure(said, said + rng.normal(0, 0.003, len(said)), RATE)
    more = measure(said, said + rng.normal(0, 0.03, len(said)), RATE)
    nothing = measure(said, np.zeros(len(said)), RATE)
    assert 35 > some.snr > more.snr > nothing.snr == pytest.approx(0, abs=0.5)
    assert 0 < some.distance < more.distance
    assert nothing.distance > 10


def test_a_slip_between_pieces_is_put_right() -> None:
    said = text()
    heard = np.concatenate((said[:20000], np.zeros(400), said[20000:]))
    aligned, delays = align(said, heard, RATE)
    assert (delays[0], delays[-1]) == (0, pytest.approx(0.05))
    assert np.mean(aligned == said) > 0.9


def test_the_link_loses_and_shakes_what_it_should() -> None:
    payloads = [b"%d" % n for n in range(2000)]
    arrivals = link(payloads, 0.1, 0.08, random.Random(1))
    assert 0.08 < 1 - len(arrivals) / 2000 < 0.12
    assert [a.arrival for a in arrivals] == sorted(a.arrival for a in arrivals)
    assert 0.07 < max(a.arrival - a.number * 0.02 for a in arrivals) < 0.08
    assert link(payloads, 0.0, 0.0, random.Random(1))[-1].payload == b"1999"


def test_a_link_that_loses_is_heard_better_than_by_the_plain_library() -> None:
    payloads = packets("pcmu", 1, LOSSES[2])
    found, stats = one("pcmu", LOSSES[2], 0.0, 1, payloads, text())
    assert found["sipua"].snr > found["aiortc"].snr + 3
    assert found["sipua"].delay < found["aiortc"].delay
    assert stats.lost > 5


@pytest.mark.parametrize("ppm", [100, -100])
def test_five_minutes_of_drift(ppm: int) -> None:
    row = run(5 / 60, ppm)
    assert row["faults"] == 0
    assert row["delay ms, greatest"] < 40
