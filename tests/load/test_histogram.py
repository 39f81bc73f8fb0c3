from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.load.histogram import Histogram

values = st.lists(st.floats(0, 1000), min_size=1, max_size=200)


def of(numbers: list[float]) -> Histogram:
    made = Histogram()
    for number in numbers:
        made.add(number)
    return made


@given(values, st.floats(0, 1))
def test_quantiles_are_right_to_a_percent(numbers: list[float], share: float) -> None:
    histogram = of(numbers)
    exact = sorted(numbers)[max(0, -int(-(share * len(numbers)) // 1) - 1)] if share else min(numbers)
    near = sorted(numbers)
    found = histogram.quantile(share)
    assert found is not None
    # Ranks that rounding puts beside the exact one count, too.
    rank = near.index(exact)
    allowed = near[max(0, rank - 1) : rank + 2]
    assert any(found == pytest.approx(value, rel=0.0101, abs=1e-4) for value in allowed)


@given(values, values)
def test_two_together_are_one_of_all(one: list[float], other: list[float]) -> None:
    whole, part = of(one), of(other)
    whole.merge(part)
    assert whole.summary() == pytest.approx(of(one + other).summary())


@given(values)
def test_by_way_of_json(numbers: list[float]) -> None:
    histogram = of(numbers)
    again = Histogram.of_dict(json.loads(json.dumps(histogram.as_dict())))
    assert again.summary() == histogram.summary()
    assert again.bars() == histogram.bars()


def test_nothing() -> None:
    histogram = Histogram.of_dict(json.loads(json.dumps(Histogram().as_dict())))
    assert histogram.quantile(0.5) is None
    assert histogram.mean is None
    assert histogram.summary()["max"] is None


def test_bars() -> None:
    bars = of([0.0, 0.1, 0.1, 5.0]).bars()
    assert [count for _, _, count in bars] == [1, 2, 1]
    assert all(low <= value < high for (low, high, _), value in zip(bars, (0.0, 0.1, 5.0), strict=True))
