"""A longer delay while, and only while, lost packets can be recovered by it."""

from __future__ import annotations

from sipua.media.engine.delay import DelayEstimator
from sipua.media.engine.patience import Patience


class Stream:
    def __init__(self) -> None:
        self.delays = DelayEstimator(0.01, 0.4)
        self.patience = Patience(self.delays)
        self.now = 0.0

    def run(self, seconds: float) -> float:
        """The target when packets have come regularly for so long."""
        for _ in range(round(seconds * 50)):
            self.now += 0.02
            self.delays.arrived(0.0, self.now)
        return self.delays.target

    def miss(self, times: int) -> float:
        for _ in range(times):
            self.patience.missed(self.now)
            self.run(1)
        return self.delays.target


def test_a_few_losses_are_not_waited_for() -> None:
    stream = Stream()
    assert stream.miss(2) == 0.01
    stream.run(10)
    assert stream.miss(2) == 0.01


def test_frequent_losses_are_until_they_end() -> None:
    stream = Stream()
    assert stream.miss(3) == 0.03
    for _ in range(10):
        stream.patience.tried(True, stream.now)
        assert stream.run(5) == 0.03
    assert stream.run(11) == 0.01


def test_packets_that_carry_nothing_are_not_waited_for_again_soon() -> None:
    stream = Stream()
    stream.miss(3)
    stream.patience.tried(True, stream.now)
    for _ in range(4):
        assert stream.run(1) == 0.03
        stream.patience.tried(False, stream.now)
    assert stream.run(1) == 0.01
    assert stream.miss(5) == 0.01
    stream.run(30)
    assert stream.miss(3) == 0.03
