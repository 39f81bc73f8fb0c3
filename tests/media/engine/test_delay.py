"""How late packets come, and how long they are waited for."""

from __future__ import annotations

import random

import pytest

from sipua.media.engine.delay import DelayEstimator


def estimator() -> DelayEstimator:
    return DelayEstimator(0.01, 0.4)


def test_regular_packets_need_the_least_delay() -> None:
    delays = estimator()
    for n in range(200):
        delays.arrived(5.0, n * 0.02)
    assert (delays.target, delays.jitter, delays.base) == (0.01, 0.0, 5.0)


def test_nearly_all_of_packets_that_vary_are_waited_for() -> None:
    delays, rnd = estimator(), random.Random(1)
    for n in range(1000):
        delays.arrived(rnd.random() * 0.1, n * 0.02)
    assert 0.095 <= delays.target <= 0.105


def test_the_few_that_are_far_later_than_the_others_are_not() -> None:
    delays, rnd = estimator(), random.Random(1)
    for n in range(1000):
        delays.arrived(0.25 if n % 100 == 99 else rnd.random() * 0.02, n * 0.02)
        assert delays.target <= 0.024


def test_one_late_packet_at_the_beginning_is_not_waited_for_and_two_are() -> None:
    delays = estimator()
    delays.arrived(0.0, 0.0)
    delays.arrived(0.028, 0.02)
    assert delays.target == 0.01
    delays.arrived(0.028, 0.04)
    assert delays.target == pytest.approx(0.034)


def test_stalls_that_come_again_are_waited_for_and_one_is_not() -> None:
    delays = estimator()
    targets = []
    for n in range(700):
        stalled = n >= 200 and n % 100 < 5
        delays.arrived(0.1 - n % 100 * 0.02 if stalled else 0.0, n * 0.02)
        targets.append(delays.target)
    assert targets[199] == 0.01
    assert min(targets[400:]) >= 0.05


def test_late_packets_are_waited_for_at_once_and_forgotten_in_seconds() -> None:
    delays = estimator()
    for n in range(500):
        delays.arrived(0.0, n * 0.02)
    for n in range(10):
        delays.arrived(0.2 - n * 0.02, 10.0)
    assert delays.target >= 0.1
    for n in range(200):
        delays.arrived(0.0, 10.0 + n * 0.02)
    assert delays.target == 0.01


def test_one_late_packet_moves_nothing() -> None:
    delays = estimator()
    for n in range(500):
        delays.arrived(0.3 if n == 300 else 0.0, n * 0.02)
        assert delays.target == 0.01 or n < 300 + 5


def test_the_base_follows_a_slower_clock_and_a_longer_way() -> None:
    delays = estimator()
    for n in range(500):
        delays.arrived(n * 0.02 * 1e-4, n * 0.02)
    assert delays.base == pytest.approx(10 * 1e-4, abs=5e-4)
    for n in range(500, 800):
        delays.arrived(0.15, n * 0.02)
    assert delays.base == 0.15


def test_the_target_is_never_more_than_the_limit() -> None:
    delays = DelayEstimator(0.01, 0.1)
    for n in range(100):
        delays.arrived((n % 2) * 2.0, n * 0.02)
    assert delays.target == 0.1


def test_jitter_is_that_of_rfc_3550() -> None:
    delays = estimator()
    expected = 0.0
    for n in range(50):
        delays.arrived((n % 2) * 0.01, n * 0.02)
        if n:
            expected += (0.01 - expected) / 16
    assert delays.jitter == pytest.approx(expected)


def test_a_day_of_packets_does_not_overflow_the_weights() -> None:
    delays = estimator()
    for n in range(100_000):
        delays.arrived((n % 3) * 0.01, n * 0.02)
    assert delays.target == pytest.approx(0.025, abs=0.006)
