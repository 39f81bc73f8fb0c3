"""Runs of lost packets, as the E-model wants to know them."""

from __future__ import annotations

import random
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import CodecSpec, make_decoder
from sipua.media.emodel import burst_ratio
from sipua.media.engine.playout import Playout, PlayoutStats

PCMU = CodecSpec("pcmu", 0, 8000)
LENGTH = 300


def played(lost: set[int]) -> PlayoutStats:
    """20 ms packets, one for each tick, without those; what was counted when all have been played."""
    playout = Playout(lambda payload_type: make_decoder(PCMU))
    for number in range(LENGTH + 50):
        now = 0.02 * number
        if number not in lost:
            playout.put(0, number & 0xFFFF, 160 * number, False, bytes([0x80 + number % 64]) * 160, now)
        playout.pull(now + 0.015)
    return playout.stats


@pytest.mark.parametrize(
    ("lost", "bursts"),
    [
        (set(), 0),
        ({50}, 1),
        ({50, 51, 52}, 1),
        ({50, 52, 54}, 3),
        ({50, 51, 53, 54, 100}, 3),
    ],
)
def test_runs(lost: set[int], bursts: int) -> None:
    stats = played(lost)
    assert (stats.lost, stats.bursts) == (len(lost), bursts)


@given(seed=st.integers(0, 1000), start=st.floats(0.005, 0.05), stay=st.floats(0.0, 0.7))
def test_runs_are_those_of_the_network(seed: int, start: float, stay: float) -> None:
    """Losses of a two-state (Gilbert) channel."""
    rng = random.Random(seed)
    lost, losing = set[int](), False
    for number in range(20, LENGTH):
        losing = rng.random() < (stay if losing else start)
        if losing:
            lost.add(number)
    stats = played(lost)
    runs = sum(is_lost for is_lost, _ in groupby(number in lost for number in range(LENGTH)))
    assert (stats.lost, stats.bursts) == (len(lost), runs)
    ratio = burst_ratio(stats.lost, stats.bursts, LENGTH)
    assert 1.0 <= ratio <= 8.0


def test_another_rate_means_the_same_time() -> None:
    """What was concealed at 8000 Hz is told in samples of G.722's 16000 Hz once that is played."""
    g722 = CodecSpec("g722", 9, 8000)
    playout = Playout(lambda payload_type: make_decoder(g722 if payload_type == 9 else PCMU))
    concealed = 0.0
    for number in range(120):
        now = 0.02 * number
        if number != 30:
            payload_type = 9 if number >= 60 else 0
            playout.put(payload_type, number, 160 * number, False, bytes(160), now)
        playout.pull(now + 0.015)
        if number == 50:
            concealed = playout.stats.concealed / playout.rate
    assert playout.rate == 16000
    assert playout.stats.concealed / playout.rate == concealed > 0
