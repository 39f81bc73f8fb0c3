"""Charts as SVG text, to be put into a page: lines and steps over time, and bars."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Line", "bar_chart", "line_chart", "step_chart"]

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a name, a CSS class for its colour, and points; None is a gap."""

    name: str
    kind: str
    points: Sequence[tuple[float, float | None]]


def _ticks(most: float, wanted: int = 5, least: float = 0.0) -> list[float]:
    """Round numbers from 0 to `most` or a little more, no nearer to each other than `least`."""
    if most <= 0:
        return [0.0, 1.0]
    step = max(most / wanted, least)
    size = 10 ** math.floor(math.log10(step))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= step - 1e-12)
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:.10g}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


class _Frame:
    """Axes, and where values are in them."""

    def __init__(
        self, across: float, values: Sequence[float], x_label: str, y_label: str, first: float = 0.0
    ) -> None:
        self.first, self.across = first, max(across - first, 1e-9)
        # What is counted has no halves on its axis.
        least = 1.0 if all(float(value).is_integer() for value in values) else 0.0
        self.x_ticks, self.y_ticks = _ticks(self.across, 8), _ticks(max(values, default=1.0), least=least)
        self.up = self.y_ticks[-1]
        self._labels = x_label, y_label

    def x(self, value: float) -> float:
        return _LEFT + (value - self.first) / self.across * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.up * (_HEIGHT - _TOP - _BOTTOM)

    def open(self, title: str) -> list[str]:
        parts = [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}">',
            f"<title>{html.escape(title)}</title>",
        ]
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(f'<text class="tick end" x="{_LEFT - 6}" y="{y + 4:.1f}">{_number(tick)}</text>')
        for tick in self.x_ticks:
            if tick <= self.across * 1.0001:
                where = f'x="{self.x(self.first + tick):.1f}" y="{_HEIGHT - _BOTTOM + 16}"'
                parts.append(f'<text class="tick middle" {where}>{_number(self.first + tick)}</text>')
        x_label, y_label = map(html.escape, self._labels)
        middle = (_HEIGHT - _BOTTOM + _TOP) / 2
        parts.append(
            f'<text class="axis middle" x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}">{x_label}</text>'
        )
        parts.append(
            f'<text class="axis middle" transform="translate(14 {middle}) rotate(-90)">{y_label}</text>'
        )
        return parts


def line_chart(
    title: str, lines: Sequence[Line], last: float, width: float = 0.0, *, x_label: str, y_label: str
) -> str:
    """Lines with a legend below; a value whose neighbours are not known is a dot. The axis is from 0 to `last`.

    :param width: what each value is of, from its place on; it is drawn in the middle of that.
    """
    frame = _Frame(last, _values(lines), x_label, y_label)
    parts = frame.open(title)
    for line in lines:
        for run in _runs(line.points):
            if len(run) == 1:
                ((x, y),) = run
                parts.append(
                    f'<circle class="dot {line.kind}" cx="{frame.x(x + width / 2):.1f}" cy="{frame.y(y):.1f}" r="3"/>'
                )
                continue
            path = " L".join(f"{frame.x(x + width / 2):.1f} {frame.y(y):.1f}" for x, y in run)
            parts.append(f'<path class="line {line.kind}" d="M{path}"/>')
    return "".join((*parts, "</svg>", _legend(lines)))


def step_chart(
    title: str, lines: Sequence[Line], last: float, width: float, *, x_label: str, y_label: str
) -> str:
    """Values that hold for `width` each, with a legend below."""
    frame = _Frame(last, _values(lines), x_label, y_label)
    parts = frame.open(title)
    for line in lines:
        for run in _runs(line.points):
            path = " L".join(
                f"{frame.x(x):.1f} {frame.y(y):.1f} H{frame.x(min(last, x + width)):.1f}" for x, y in run
            )
            parts.append(f'<path class="line {line.kind}" d="M{path}"/>')
    return "".join((*parts, "</svg>", _legend(lines)))


def bar_chart(
    title: str,
    bars: Sequence[tuple[float, float, int]],
    first: float,
    last: float,
    *,
    x_label: str,
    y_label: str,
) -> str:
    """Bars from one value to another, each as high as its count. The axis is from `first` to `last`."""
    frame = _Frame(last, [n for *_, n in bars], x_label, y_label, first)
    parts = frame.open(title)
    for low, high, count in bars:
        x, y = frame.x(low), frame.y(count)
        width = max(1.0, frame.x(high) - x - 0.5)
        about = f"{_number(round(low, 4))} to {_number(round(high, 4))}: {count}"
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{frame.y(0) - y:.1f}"><title>{about}</title></rect>'
        )
    return "".join((*parts, "</svg>"))


def _values(lines: Sequence[Line]) -> list[float]:
    return [y for line in lines for _, y in line.points if y is not None]


def _runs(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """The points between the gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is not None:
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _legend(lines: Sequence[Line]) -> str:
    keys = "".join(f'<span class="key {line.kind}">{html.escape(line.name)}</span>' for line in lines)
    return f'<p class="legend">{keys}</p>'
