"""Many digits over links that are not good."""

from __future__ import annotations

import pytest

from benchmarks.dtmf import Link, simulate


@pytest.mark.parametrize("clock_rate", [8000, 48000])
@pytest.mark.parametrize(
    "link", [Link(), Link(doubled=0.05, overtaken=0.1), Link(loss=0.0)], ids=["loss", "disorder", "clean"]
)
def test_no_digit_is_lost_or_doubled(clock_rate: int, link: Link) -> None:
    outcome = simulate(500, clock_rate, link)
    assert outcome.told == outcome.sent
    # Of five packets, three tell the whole duration.
    assert outcome.worst <= 0.03 + 1e-9
    assert outcome.delay <= 0.3


def test_wrong_digits_are_counted() -> None:
    outcome = simulate(3, 8000, Link(loss=0.0))
    outcome.sent, outcome.told = "1234", "1344"
    assert outcome.wrong == (1, 1)
    assert simulate(20, 8000, Link(loss=1.0)).wrong == (20, 0)
