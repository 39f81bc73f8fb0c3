"""What must not be: ``p99>500ms``, ``failed>1%``."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.load.figures import Figures
    from sipua.load.histogram import Histogram

__all__ = ["METRICS", "Threshold", "parse_threshold"]

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_TIMES = {"setup": "setup", "ringing": "ringing", "lasted": "lasted", "jitter": "jitter", "rtt": "round_trip"}
_UNITS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "%": 0.01}
_PATTERN = re.compile(
    r"\s*([a-z_]+)?(?:\.?(p[0-9.]+|min|max|mean))?\s*(>=|<=|>|<)\s*([0-9.]+)\s*(us|ms|s|m|%|)\s*", re.I
)

#: What a threshold can be about.
METRICS = {
    "p50, p99.9, max, mean …": "time from the INVITE to the answer",
    "ringing.p99": "time from the INVITE to the first ringing",
    "lasted.p50": "time from the answer to the end",
    "jitter.p95, rtt.p95": "of the audio",
    "mos.p5": "of the audio, 1 to 5",
    "loss": "share of the packets that were lost",
    "failed": "calls that failed, in number or in %",
    "missed": "calls that were due and not made, in number or in %",
    "started, answered, passed": "calls",
}
_COUNTS = ("failed", "missed", "started", "answered", "passed")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One condition that makes a test fail."""

    text: str
    metric: str
    statistic: str
    """``p99``, ``max`` …; empty for counts and shares."""
    comparison: str
    limit: float
    percent: bool

    @property
    def of_media(self) -> bool:
        """Whether it is about the audio, which calls without media do not have."""
        return self.metric in ("jitter", "rtt", "mos", "loss")

    def value(self, figures: Figures) -> float | None:
        """What the figures say; None: there is nothing to say."""
        if self.metric == "loss":
            return figures.loss_share
        if self.metric in _COUNTS:
            count: int = getattr(figures, self.metric)
            if not self.percent:
                return float(count)
            whole = {"failed": figures.over, "missed": figures.started + figures.missed}.get(
                self.metric, figures.started
            )
            return count / whole if whole else None
        histogram: Histogram = getattr(figures, _TIMES.get(self.metric, self.metric))
        if self.statistic == "mean":
            return histogram.mean
        if self.statistic in ("min", "max"):
            return histogram.quantile(0.0 if self.statistic == "min" else 1.0)
        return histogram.quantile(float(self.statistic[1:]) / 100)

    def broken(self, figures: Figures) -> bool:
        """Whether it is as it must not be; nor is it kept when there was nothing to measure."""
        value = self.value(figures)
        return value is None or _OPERATORS[self.comparison](value, self.limit)

    def shown(self, figures: Figures) -> str:
        """The value that there is, in words."""
        value = self.value(figures)
        if value is None:
            return "nothing measured"
        if self.percent or self.metric == "loss":
            return f"{100 * value:.2f} %"
        if self.metric in _TIMES:
            return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"
        return f"{value:.2f}" if self.metric == "mos" else f"{value:.0f}"


def parse_threshold(text: str) -> Threshold:
    """Read one such as ``p99>500ms``.

    :raises ConfigurationError: it cannot be read.
    """

    def wrong(why: str) -> ConfigurationError:
        return ConfigurationError("fail_if", text, why)

    match = _PATTERN.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        metric, statistic, comparison, number, unit = match.groups()
        limit = float(number) * _UNITS[unit.lower()]
    except ValueError:
        raise wrong("not a threshold; it looks like p99>500ms, mean>0.2s, failed>1% or mos.p5<3.5") from None
    metric, statistic = (metric or "").lower(), (statistic or "").lower()
    if re.fullmatch("p|min|max|mean", metric) and not statistic:
        metric, statistic = "", metric
    known = (*_COUNTS, *_TIMES, "mos", "loss")
    metric = metric or "setup"
    if metric not in known:
        raise wrong(f"no figure {metric!r}; there are p50, p99 and the like, {', '.join(known)}")
    counted = metric in (*_COUNTS, "loss")
    if counted and statistic:
        raise wrong(f"{metric} has no {statistic}; write {metric}{comparison}{number}{unit}")
    if not counted and not re.fullmatch(r"p\d{1,2}(\.\d+)?|p100|min|max|mean", statistic):
        raise wrong(f"which {metric}? Write such as {metric}.p99{comparison}{number}{unit}")
    fits = {"loss": ("%", "")}.get(
        metric, ("%", "") if counted else ("",) if metric == "mos" else ("us", "ms", "s", "m", "")
    )
    if unit.lower() not in fits:
        raise wrong(
            f"{metric} is not measured in {unit}; write {' or '.join(u or 'a plain number' for u in fits)}"
        )
    return Threshold(text.strip(), metric, statistic, comparison, limit, unit == "%")
