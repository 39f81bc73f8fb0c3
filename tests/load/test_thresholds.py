from __future__ import annotations

import pytest

from sipua.errors import ConfigurationError
from sipua.load.figures import Figures
from sipua.load.thresholds import parse_threshold


def figures() -> Figures:
    made = Figures()
    for number in range(100):
        made.call_started(number / 10)
        made.call_answered(number / 10, (number + 1) / 100)
        made.call_over(number / 10 + 1, "486 Busy Here" if number < 5 else None, 1.0, None)
    made.call_missed(3.0)
    made.packets_received, made.packets_lost = 990, 10
    made.mos.add(4.1)
    made.jitter.add(0.004)
    return made


@pytest.mark.parametrize(
    ("text", "broken", "shown"),
    [
        ("p99>500ms", True, "988.9 ms"),
        ("p50 > 0.6", False, "498.2 ms"),
        ("P50>400MS", True, "498.2 ms"),
        ("setup.p50<1s", True, "498.2 ms"),
        ("max>=1s", True, "1.00 s"),
        ("mean>600ms", False, "505.0 ms"),
        ("failed>1%", True, "5.00 %"),
        ("failed>=6%", False, "5.00 %"),
        ("failed>4", True, "5"),
        ("missed>0", True, "1"),
        ("missed>1%", False, "0.99 %"),
        ("answered<100", False, "100"),
        ("loss>0.5%", True, "1.00 %"),
        ("mos.mean<3.5", False, "4.10"),
        ("jitter.p95>20ms", False, "4.0 ms"),
        ("rtt.p95>1us", True, "nothing measured"),
        ("lasted.p50<2m", True, "1.00 s"),
    ],
)
def test_thresholds(text: str, broken: bool, shown: str) -> None:
    threshold = parse_threshold(text)
    assert threshold.broken(figures()) is broken
    assert threshold.text == text
    if "p" not in threshold.statistic:
        assert threshold.shown(figures()) == shown


def test_what_was_not_measured_is_not_kept() -> None:
    # Else a test would pass whose calls were never answered.
    for text in ("p99>1ms", "failed>1%", "loss>0%", "mos.mean<5"):
        assert parse_threshold(text).broken(Figures())
    assert not parse_threshold("failed>0").broken(Figures())
    assert parse_threshold("answered<1").broken(Figures())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a threshold; it looks like p99>500ms"),
        ("p99", "not a threshold"),
        ("p99=5", "not a threshold"),
        ("p99>5x", "not a threshold"),
        ("p99>..", "not a threshold"),
        ("speed.p99>5ms", "no figure 'speed'; there are p50"),
        ("failed.p99>5", "failed has no p99"),
        ("jitter>5ms", "which jitter? Write such as jitter.p99>5ms"),
        ("p999>5ms", "which setup?"),
        ("failed>5ms", "failed is not measured in ms"),
        ("p99>5%", "setup is not measured in %"),
        ("mos.p5<3s", "mos is not measured in s"),
    ],
)
def test_bad_thresholds(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_threshold(text)
    assert why in str(caught.value)
