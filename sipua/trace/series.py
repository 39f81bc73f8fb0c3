"""The figures of a call's media over time, from the samples in a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sipua.trace.records import TracedStats

__all__ = ["Curve", "Plot", "figure_at", "plots_of"]

Point = tuple[float, float | None]
"""A time (seconds since 1970) and a value; None: it is not known, or there is none."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure over time."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Figures that are drawn together, as they have one unit. `low` and `high` bound them where that is known."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    low: float | None = 0.0
    high: float | None = None


def plots_of(samples: Iterable[TracedStats]) -> list[Plot]:
    """Jitter, loss, round trip, level and MOS of one call, as one user agent measured them.

    Plots without any value are left out.
    """
    audio = [(s.time, s.stats.get("audio") or {}, s.quality) for s in samples]

    def curve(name: str, of: Callable[[Mapping[str, Any]], object]) -> Curve:
        return Curve(name, tuple((time, _number(of(figures))) for time, figures, _ in audio))

    mos = Curve("heard here", tuple((time, _number((how or {}).get("mos"))) for time, _, how in audio))
    plots = [
        Plot(
            "Jitter",
            "ms",
            (
                curve("heard here", lambda a: _ms(figure_at(a, "received", "jitter"))),
                curve("at the peer", lambda a: _ms(figure_at(a, "remote_received", "jitter"))),
                curve("jitter buffer", lambda a: _ms(figure_at(a, "received", "buffer_delay"))),
            ),
        ),
        Plot(
            "Loss",
            "%",
            (
                Curve("heard here", _losses([(time, figures) for time, figures, _ in audio])),
                curve("at the peer", lambda a: _percent(figure_at(a, "remote_received", "fraction_lost"))),
            ),
        ),
        Plot(
            "Round trip",
            "ms",
            (curve("by RTCP", lambda a: _ms(figure_at(a, "remote_received", "round_trip", "last"))),),
        ),
        Plot(
            "Level",
            "dBov",
            (
                curve("heard", lambda a: figure_at(a, "received", "level")),
                curve("said", lambda a: figure_at(a, "sent", "level")),
            ),
            low=-127.0,
            high=0.0,
        ),
        Plot("MOS", "", (mos,), low=1.0, high=5.0),
    ]
    return [_with_values(plot) for plot in plots if any(_has_values(curve) for curve in plot.curves)]


def _with_values(plot: Plot) -> Plot:
    curves = tuple(curve for curve in plot.curves if _has_values(curve))
    return Plot(plot.title, plot.unit, curves, plot.low, plot.high)


def _has_values(curve: Curve) -> bool:
    return any(value is not None for _, value in curve.points)


def figure_at(figures: object, *path: str) -> object:
    """What is at these names of nested dicts; None: nothing."""
    for name in path:
        figures = figures.get(name) if isinstance(figures, dict) else None
    return figures


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -1e12 < value < 1e12 else None


def _ms(value: object) -> float | None:
    number = _number(value)
    return None if number is None else 1000.0 * number


def _percent(value: object) -> float | None:
    number = _number(value)
    return None if number is None else 100.0 * number


def _losses(samples: list[tuple[float, Mapping[str, Any]]]) -> tuple[Point, ...]:
    """Of each interval between two samples, in percent of what should have come."""
    points: list[Point] = []
    before: tuple[object, float, float] | None = None
    for time, figures in samples:
        lost, packets = (_number(figure_at(figures, "received", name)) for name in ("lost", "packets"))
        if lost is None or packets is None:
            continue
        leg = figure_at(figures, "id")
        value = None
        if before is not None and before[0] == leg:
            gone, came = max(0.0, lost - before[1]), packets - before[2]
            value = 100.0 * gone / (gone + came) if gone + came > 0 else None
        points.append((time, value))
        before = leg, lost, packets
    return tuple(points)
