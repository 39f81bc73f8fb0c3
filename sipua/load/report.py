"""The report of a load test: as JSON, and as one HTML file that needs nothing else."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from sipua._version import __version__
from sipua.load.charts import charts

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from sipua.load.figures import Figures
    from sipua.load.plan import Plan
    from sipua.load.thresholds import Threshold

__all__ = ["LoadReport"]

#: Of the JSON report. For any change that is no addition the number is raised.
SCHEMA = "sipua-load/1"


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
    """What else the reader has to know, such as that it was broken off."""
    faults: Sequence[str] = field(default_factory=tuple)
    """What went wrong with the test itself, such as a process that was lost: it has failed with that."""

    @property
    def broken(self) -> list[Threshold]:
        """The thresholds that are not kept."""
        return [threshold for threshold in self.thresholds if threshold.broken(self.figures)]

    @property
    def passed(self) -> bool:
        """All thresholds are kept; without any, no call failed. Never when none was made."""
        if self.faults or not self.figures.over:
            return False
        return not (self.broken if self.thresholds else self.figures.failed)

    @property
    def all_notes(self) -> list[str]:
        """Notes and faults, and what the figures add to them."""
        found = [*self.notes, *self.faults]
        if lost := self.figures.disconnects:
            found.append(f"a connection to the server was lost{f', {lost} times' if lost > 1 else ''}")
        if not self.figures.over:
            found.append("no call was made")
        return found

    @property
    def rate(self) -> float | None:
        """Calls/s in the mean, as long as calls were begun; None: there was no time."""
        begun = min(self.elapsed, self.plan.duration or self.elapsed)
        return self.figures.started / begun if begun > 0 else None

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
                "accounts": 1 + len(plan.others),
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
                "rate": self.rate,
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
            "notes": self.all_notes,
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
            *(f'<p class="note">{html.escape(note)}</p>' for note in self.all_notes),
            self._tiles(),
            self._threshold_table(),
            self._cause_table(),
            *self._charts(),
            self._times_table(),
            self._quality_table(),
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
        media = "with audio" if plan.media else "signalling only"
        callers, whose = f"{plan.uri} calls", "process"
        if plan.others:
            callers, whose = f"{plan.uri} and {_count(len(plan.others), 'other')} call", "account"
        machines = (
            f"{_count(plan.processes, 'process', 'es')}, {_count(plan.agents, 'connection')} per {whose}"
        )
        return f"{callers}: {rate}{limit}; {length}; {media}; {machines}."

    def _tiles(self) -> str:
        figures = self.figures
        tiles = [
            ("calls", f"{figures.started}"),
            ("answered", f"{figures.answered}"),
            (f"failed, {100 * figures.failure_share:.2f} %", f"{figures.failed}"),
            ("missed", f"{figures.missed}"),
            ("at once, at most", f"{figures.peak}"),
            ("calls/s, in the mean", "–" if self.rate is None else f"{self.rate:.1f}"),
            ("time", _clock(self.elapsed)),
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
        return "<h2>Thresholds</h2>" + _table(("fails if", "measured", "verdict"), rows)

    def _times_table(self) -> str:
        rows = []
        kinds = [
            ("INVITE to answer", self.figures.setup),
            ("INVITE to ringing", self.figures.ringing),
            ("answer to end", self.figures.lasted),
        ]
        if self.plan.media:
            kinds += [("jitter", self.figures.jitter), ("round trip", self.figures.round_trip)]
        for name, histogram in kinds:
            if histogram.count:
                figures = histogram.summary()
                rows.append((name, *(_milliseconds(figures[key]) for key in _COLUMNS)))
        return "<h2>Times</h2>" + _table(("", *_COLUMNS), rows) if rows else ""

    def _quality_table(self) -> str:
        mos = self.figures.mos
        if not (self.plan.media and mos.count):
            return ""
        shown = {"min": 0.0, "p1": 0.01, "p5": 0.05, "p50": 0.5, "max": 1.0}
        row = (
            "MOS (estimated, G.107)",
            f"{mos.mean:.2f}",
            *(f"{mos.quantile(q):.2f}" for q in shown.values()),
        )
        return "<h2>Quality of the audio</h2>" + _table(("", "mean", *shown), [row])

    def _charts(self) -> list[str]:
        found = charts(self.figures, media=self.plan.media)
        return [f"<figure><h2>{title}</h2>{chart}</figure>" for title, chart in found.items()]

    def _cause_table(self) -> str:
        causes = self.figures.causes.most_common()
        if not causes:
            return ""
        rows = [(cause, str(count), f"{100 * count / self.figures.failed:.1f} %") for cause, count in causes]
        return "<h2>Failures</h2>" + _table(("cause", "calls", "share"), rows)


#: How cells look that say so.
_VERDICTS = {"kept": ' class="kept"', "not kept": ' class="broken"'}

_COLUMNS = ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")


def _count(number: int, what: str, ending: str = "s") -> str:
    return f"{number} {what}{ending if number > 1 else ''}"


def _clock(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}:{minutes:02}:{left:02} h"
        if hours
        else f"{minutes}:{left:02} min"
        if minutes
        else f"{seconds:.1f} s"
    )


def _milliseconds(seconds: float | int | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td{_VERDICTS.get(cell, '')}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _style() -> str:
    return resources.files("sipua.load").joinpath("report.css").read_text(encoding="utf-8")
