"""Pauses and refreshes."""

from __future__ import annotations

import random

import pytest

from sipua.ua.pacing import Backoff, refresh_delay


@pytest.mark.parametrize("expires", [0, 0.1, 1, 2, 20, 64, 65, 3600, 2**32])
def test_refreshes_come_in_time_and_never_all_the_time(expires: float) -> None:
    rand = random.Random(1)
    for _ in range(100):
        delay = refresh_delay(expires, rand)
        assert max(expires / 2, 1.0) <= delay <= max(expires * 0.75, expires - 32, 1.0)


def test_pauses_grow_up_to_half_an_hour() -> None:
    backoff = Backoff(random.Random(1))
    for ceiling in (30, 60, 120, 240, 480, 960, *[1800] * 2000):
        assert ceiling / 2 <= backoff.next() <= ceiling
    backoff.reset()
    assert backoff.next() <= 30


def test_what_a_peer_asks_for() -> None:
    backoff = Backoff(random.Random(1))
    assert backoff.next(0) == 5  # never at once
    assert 30 <= backoff.next(0) <= 60  # after that, never sooner than by our own reckoning
    assert backoff.next(7200) == 7200
    backoff.reset()
    assert backoff.next(20) == 20
