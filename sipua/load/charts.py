"""The charts of a report: the figures of each second, in as many points as can be seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sipua.load.figures import Second
from sipua.load.svg import Line, bar_chart, line_chart, step_chart

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.load.figures import Figures
    from sipua.load.histogram import Histogram

__all__ = ["charts"]

#: Points of a curve at most, and bars of a distribution.
MOST_POINTS, BARS = 600, 40

#: What is written at the axis of time: the unit, its seconds, and up to how many seconds.
_UNITS = (("seconds", 1, 300), ("minutes", 60, 10_800), ("hours", 3600, math.inf))

_COUNTS = ("started", "answered", "passed", "failed", "missed")


def charts(figures: Figures, *, media: bool) -> dict[str, str]:
    """By their titles: calls over time, their set-up times, and the quality of their audio where there is any."""
    width, spans = _spans(figures)
    unit, per = next((unit, per) for unit, per, longest in _UNITS if len(spans) * width <= longest)
    last = max((start + width for start, _ in spans), default=1.0) / per
    x_label = f"{unit} since the first call"

    def line(name: str, kind: str, value: Callable[[Second], float | None]) -> Line:
        return Line(name, kind, [(start / per, value(span)) for start, span in spans])

    def quantile(share: float) -> Callable[[Second], float | None]:
        return lambda span: _milliseconds(span.setup.quantile(share))

    counts = [line("begun", "broad a", lambda s: s.started / width)]
    counts.append(line("answered", "b", lambda s: s.answered / width))
    if figures.failed:
        counts.append(line("failed", "c", lambda s: s.failed / width))
    if figures.missed:
        counts.append(line("missed", "d", lambda s: s.missed / width))
    at_once = [line("most in each second" if width == 1 else f"most in {width} s", "a", lambda s: s.active)]
    times = [
        line(f"p{percent}", kind, quantile(percent / 100))
        for percent, kind in ((50, "a"), (90, "d"), (99, "c"))
    ]
    bars = _evenly(figures.setup)
    longest = max((high for _, high, _ in bars), default=1.0)
    found = {
        (title := "Calls per second"): step_chart(
            title, counts, last, width / per, x_label=x_label, y_label="calls/s"
        ),
        (title := "Calls at once"): step_chart(
            title, at_once, last, width / per, x_label=x_label, y_label="calls"
        ),
        (title := "Set-up time"): line_chart(
            title, times, last, width / per, x_label=x_label, y_label="milliseconds"
        ),
        (title := "Distribution of set-up times"): bar_chart(
            title, bars, 0.0, longest, x_label="milliseconds", y_label="calls"
        ),
    }
    if media and figures.mos.count:
        title, x_label = "Distribution of MOS", "MOS: 1 bad, 3 fair, 5 excellent"
        found[title] = bar_chart(title, _tenths(figures.mos), 1.0, 5.0, x_label=x_label, y_label="calls")
    return found


def _spans(figures: Figures) -> tuple[int, list[tuple[float, Second]]]:
    """The seconds, several in one where there are too many: how many, and when each begins."""
    last = max(figures.seconds, default=0)
    width = -(-(last + 1) // MOST_POINTS)
    spans: dict[int, Second] = {}
    for index, second in sorted(figures.seconds.items()):
        span = spans.setdefault(index // width, Second())
        for name in _COUNTS:
            setattr(span, name, getattr(span, name) + getattr(second, name))
        span.active = max(span.active, second.active)
        span.setup.merge(second.setup)
    return width, [(float(index * width), span) for index, span in sorted(spans.items())]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def _evenly(histogram: Histogram) -> list[tuple[float, float, int]]:
    """The classes of a histogram as bars of one width, in milliseconds; the last one has the longest 0.1 %."""
    top = histogram.quantile(0.999)
    if not top:
        return []
    width = top / BARS
    counts = [0] * (BARS + 1)
    for low, high, count in histogram.bars():
        counts[min(BARS, int((low + high) / 2 / width))] += count
    return [(1000 * n * width, 1000 * (n + 1) * width, count) for n, count in enumerate(counts) if count]


def _tenths(histogram: Histogram) -> list[tuple[float, float, int]]:
    """The classes of a histogram in bars of a tenth."""
    counts: dict[int, int] = {}
    for low, high, count in histogram.bars():
        tenth = min(49, int(5 * (low + high)))
        counts[tenth] = counts.get(tenth, 0) + count
    return [(tenth / 10, (tenth + 1) / 10, count) for tenth, count in sorted(counts.items())]
