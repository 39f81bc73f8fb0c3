"""The report of a load test: as JSON, and as one HTML file that needs nothing else."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from sipua._version import __version__
from sipua.load.svg import Line, bar_chart, line_chart

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from sipua.load.figures import Figures
    from sipua.load.histogram import Histogram
    from sipua.load.plan import Plan
    from sipua.load.thresholds import Threshold

__all__ = ["LoadReport"]

#: Of the JSON report. For any change that is no addition the number is raised.
SCHEMA = "sipua-load/1"

#: Bars of the chart of set-up times.
_BARS = 40


@dataclass(frozen=True)
class LoadReport:
    """What was wanted, what came of it, and whether that is good enough."""

    plan: Plan
    figures: Figures
    started: datetime.datetime
    elapsed: float
    """Seconds from the first call to the end of the last one."""
    thresholds: Sequence[Threshold] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    """What else the reader has to know: broken off, a process lost."""

    @property
    def broken(self) -> list[Threshold]:
        """The thresholds that are not kept."""
        return [threshold for threshold in self.thresholds if threshold.broken(self.figures)]

    @property
    def passed(self) -> bool:
        """All thresholds are kept; without any, at least one call went as it should, or none was made."""
        if self.thresholds:
            return not self.broken
        return bool(self.figures.passed) or not self.figures.over

    # --- JSON ---------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """The report in plain values. Times are in seconds, shares of 1. Without passwords."""
        figures = self.figures
        plan = self.plan
        return {
            "schema": SCHEMA,
            "version": __version__,
            "started": self.started.isoformat(timespec="seconds"),
            "elapsed": round(self.elapsed, 3),
            "passed": self.passed,
            "plan": {
                "uri": plan.uri,
                "targets": list(plan.targets),
                "rates": [[s.start, s.end, s.seconds if s.seconds < 1e9 else None] for s in plan.slopes],
                "limit": plan.limit or None,
                "duration": plan.duration,
                "calls": plan.calls,
                "script": plan.script,
                "talk": plan.talk if plan.script is None else None,
                "media": plan.media,
                "processes": plan.processes,
                "agents": plan.agents,
            },
            "calls": {
                **{
                    name: getattr(figures, name)
                    for name in ("started", "answered", "passed", "failed", "missed")
                },
                "peak": figures.peak,
                "failure_share": figures.failure_share,
            },
            "causes": dict(figures.causes.most_common()),
            "setup": figures.setup.summary(),
            "ringing": figures.ringing.summary(),
            "lasted": figures.lasted.summary(),
            "media": self._media(),
            "thresholds": [
                {"text": t.text, "value": t.value(figures), "broken": t.broken(figures)}
                for t in self.thresholds
            ],
            "notes": list(self.notes),
            "seconds": [
                {
                    "second": index,
                    **{
                        n: getattr(second, n)
                        for n in ("started", "answered", "passed", "failed", "missed", "active")
                    },
                    "setup_p50": second.setup.quantile(0.5),
                    "setup_p99": second.setup.quantile(0.99),
                }
                for index, second in sorted(figures.seconds.items())
            ],
        }

    def _media(self) -> dict[str, Any] | None:
        figures = self.figures
        if not self.plan.media:
            return None
        return {
            "packets_sent": figures.packets_sent,
            "packets_received": figures.packets_received,
            "packets_lost": figures.packets_lost,
            "loss": figures.loss_share,
            "jitter": figures.jitter.summary(),
            "rtt": figures.round_trip.summary(),
            "mos": figures.mos.summary(),
        }

    def json(self) -> str:
        """`as_dict` as text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    # --- HTML ---------------------------------------------------------------------------------------------

    def html(self) -> str:
        """One page; no script, no other file, nothing from the net."""
        targets = ", ".join(self.plan.targets)
        title = f"Load test of {targets}"
        parts = [
            f"<h1>{html.escape(title)}</h1>",
            f'<p class="verdict {"good" if self.passed else "bad"}">{"PASSED" if self.passed else "FAILED"}</p>',
            f"<p>{html.escape(self._what())}</p>",
            *(f'<p class="note">{html.escape(note)}</p>' for note in self.notes),
            self._tiles(),
            self._threshold_table(),
            *self._charts(),
            self._times_table(),
            self._cause_table(),
        ]
        if self.plan.script is not None:
            parts.append(f"<h2>Script</h2><pre>{html.escape(self.plan.script)}</pre>")
        parts.append(f"<footer>sipua {__version__}, {self.started:%Y-%m-%d %H:%M:%S %Z}</footer>")
        style = f"<style>{_style()}</style>"
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title>{style}</head><body>{''.join(parts)}</body></html>\n"
        )

    def _what(self) -> str:
        plan = self.plan
        parts = [
            f"{slope.start:g}{f'–{slope.end:g}' if slope.end != slope.start else ''}/s"
            for slope in plan.slopes
        ]
        rate = f"{', '.join(parts)}" if parts else "a new call for each that is over"
        limit = f", at most {plan.limit} at once" if plan.limit else ""
        length = "by a script" if plan.script is not None else f"{plan.talk:g} s each"
        machines = f"{_count(plan.processes, 'process', 'es')}, {_count(plan.agents, 'connection')} each"
        media = "with audio" if plan.media else "signalling only"
        return f"{plan.uri} calls: {rate}{limit}; {length}; {media}; {machines}."

    def _tiles(self) -> str:
        figures = self.figures
        tiles = [
            ("calls", f"{figures.started}"),
            ("answered", f"{figures.answered}"),
            ("failed", f"{figures.failed} ({100 * figures.failure_share:.2f} %)"),
            ("missed", f"{figures.missed}"),
            ("at once, at most", f"{figures.peak}"),
            ("calls/s", f"{figures.started / self.elapsed:.1f}" if self.elapsed else "–"),
            ("time", f"{self.elapsed:.1f} s"),
            ("set-up p50", _milliseconds(figures.setup.quantile(0.5))),
            ("set-up p99", _milliseconds(figures.setup.quantile(0.99))),
        ]
        if self.plan.media and figures.loss_share is not None:
            mos = figures.mos.mean
            tiles += [
                ("packet loss", f"{100 * figures.loss_share:.2f} %"),
                ("MOS", "–" if mos is None else f"{mos:.2f}"),
            ]
        cells = "".join(f"<div><b>{html.escape(value)}</b><span>{name}</span></div>" for name, value in tiles)
        return f'<div class="tiles">{cells}</div>'

    def _threshold_table(self) -> str:
        if not self.thresholds:
            return ""
        rows = [
            (t.text, t.shown(self.figures), "not kept" if t.broken(self.figures) else "kept")
            for t in self.thresholds
        ]
        return "<h2>Thresholds</h2>" + _table(("fails if", "was", ""), rows)

    def _charts(self) -> list[str]:
        seconds = sorted(self.figures.seconds.items())

        def line(name: str, kind: str, value: Any) -> Line:
            return Line(name, kind, [(index, value(second)) for index, second in seconds])

        def quantile(share: float) -> Any:
            def value(second: Any) -> float | None:
                found: float | None = second.setup.quantile(share)
                return None if found is None else 1000 * found

            return value

        counts = [
            line("begun", "a", lambda s: s.started),
            line("answered", "b", lambda s: s.answered),
            line("failed", "c", lambda s: s.failed),
            line("missed", "d", lambda s: s.missed),
        ]
        times = [
            line("p50", "a", quantile(0.5)),
            line("p90", "d", quantile(0.9)),
            line("p99", "c", quantile(0.99)),
        ]
        return [
            "<h2>Calls per second</h2>",
            line_chart("Calls per second", counts, x_label="seconds", y_label="calls/s"),
            "<h2>Calls at once</h2>",
            line_chart(
                "Calls at once",
                [line("calls", "a", lambda s: s.active)],
                x_label="seconds",
                y_label="calls",
            ),
            "<h2>Set-up time</h2>",
            line_chart("Set-up time over time", times, x_label="seconds", y_label="milliseconds"),
            "<h2>Distribution of set-up times</h2>",
            bar_chart(
                "Distribution of set-up times",
                _evenly(self.figures.setup),
                x_label="milliseconds",
                y_label="calls",
            ),
        ]

    def _times_table(self) -> str:
        rows = []
        kinds = [
            ("set-up", self.figures.setup),
            ("ringing after", self.figures.ringing),
            ("lasted", self.figures.lasted),
        ]
        if self.plan.media:
            kinds += [("jitter", self.figures.jitter), ("round trip", self.figures.round_trip)]
        for name, histogram in kinds:
            if histogram.count:
                figures = histogram.summary()
                rows.append((name, *(_milliseconds(figures[key]) for key in _COLUMNS)))
        return "<h2>Times</h2>" + _table(("", *_COLUMNS), rows) if rows else ""

    def _cause_table(self) -> str:
        causes = self.figures.causes.most_common()
        if not causes:
            return ""
        rows = [(cause, str(count), f"{100 * count / self.figures.failed:.1f} %") for cause, count in causes]
        return "<h2>Failures</h2>" + _table(("cause", "calls", "share"), rows)


_COLUMNS = ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")


def _count(number: int, what: str, ending: str = "s") -> str:
    return f"{number} {what}{ending if number > 1 else ''}"


def _milliseconds(seconds: float | int | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _evenly(histogram: Histogram) -> list[tuple[float, float, int]]:
    """The classes of a histogram in bars of one width, in milliseconds."""
    top = histogram.quantile(0.999)
    if not top:
        return []
    width = top / _BARS
    counts = [0] * (_BARS + 1)
    for low, high, count in histogram.bars():
        counts[min(_BARS, int((low + high) / 2 / width))] += count
    return [(1000 * n * width, 1000 * (n + 1) * width, count) for n, count in enumerate(counts) if count]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _style() -> str:
    return resources.files("sipua.load").joinpath("report.css").read_text(encoding="utf-8")
