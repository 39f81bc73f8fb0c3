"""Charts as SVG text, to be put into a page: lines over time, and bars."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Line", "bar_chart", "line_chart"]

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a name, a CSS class for its colour, and points; None is a gap."""

    name: str
    kind: str
    points: Sequence[tuple[float, float | None]]


def _ticks(most: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to `most` or a little more."""
    if most <= 0:
        return [0.0, 1.0]
    step = most / wanted
    size = 10 ** math.floor(math.log10(step))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= step - 1e-12)
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:.10g}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


class _Frame:
    """Axes, and where values are in them."""

    def __init__(self, across: float, up: float, x_label: str, y_label: str) -> None:
        self.x_ticks, self.y_ticks = _ticks(across, 8), _ticks(up)
        self.across, self.up = max(across, 1e-9), self.y_ticks[-1]
        self._labels = x_label, y_label

    def x(self, value: float) -> float:
        return _LEFT + value / self.across * (_WIDTH - _LEFT - _RIGHT)

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
                where = f'x="{self.x(tick):.1f}" y="{_HEIGHT - _BOTTOM + 16}"'
                parts.append(f'<text class="tick middle" {where}>{_number(tick)}</text>')
        x_label, y_label = map(html.escape, self._labels)
        middle = (_HEIGHT - _BOTTOM + _TOP) / 2
        parts.append(
            f'<text class="axis middle" x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}">{x_label}</text>'
        )
        parts.append(
            f'<text class="axis middle" transform="translate(14 {middle}) rotate(-90)">{y_label}</text>'
        )
        return parts


def line_chart(title: str, lines: Sequence[Line], *, x_label: str, y_label: str) -> str:
    """Lines from 0 on, with a legend below."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points if y is not None]
    frame = _Frame(max(xs, default=1.0), max(ys, default=1.0), x_label, y_label)
    parts = frame.open(title)
    for line in lines:
        path, pen = [], "M"
        for x, y in line.points:
            if y is None:
                pen = "M"
                continue
            path.append(f"{pen}{frame.x(x):.1f} {frame.y(y):.1f}")
            pen = "L"
        if path:
            # A single point would not be seen without a cap.
            parts.append(
                f'<path class="line {line.kind}" d="{" ".join(path)}{" h0.1" if len(path) == 1 else ""}"/>'
            )
    parts.append("</svg>")
    keys = "".join(f'<span class="key {line.kind}">{html.escape(line.name)}</span>' for line in lines)
    return "".join(parts) + f'<p class="legend">{keys}</p>'


def bar_chart(title: str, bars: Sequence[tuple[float, float, int]], *, x_label: str, y_label: str) -> str:
    """Bars from one value to another, each as high as its count."""
    frame = _Frame(
        max((high for _, high, _ in bars), default=1.0),
        max((n for *_, n in bars), default=1),
        x_label,
        y_label,
    )
    parts = frame.open(title)
    for low, high, count in bars:
        x, y = frame.x(low), frame.y(count)
        width = max(1.0, frame.x(high) - x - 0.5)
        about = f"{_number(round(low, 4))} to {_number(round(high, 4))}: {count}"
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{frame.y(0) - y:.1f}"><title>{about}</title></rect>'
        )
    parts.append("</svg>")
    return "".join(parts)
