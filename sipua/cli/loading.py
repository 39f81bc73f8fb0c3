"""Watching a load test: live lines for people, an event each second for programs, and its end by Ctrl-C."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from sipua.cli.output import EXAMINE, PlainOutput
from sipua.cli.report import clock

if TYPE_CHECKING:
    from sipua.cli.output import Output
    from sipua.load import Figures, Plan

#: Seconds between two looks, between two events, and between two lines where nothing can be renewed.
REFRESH, EVERY, LINE_EVERY = 0.25, 1.0, 10.0

_BAR = 30


class Load(Protocol):
    """A load test in this process or in several."""

    @property
    def figures(self) -> Figures:
        """What was counted so far."""

    @property
    def elapsed(self) -> float:
        """Seconds since the first call was due."""

    async def run(self) -> Figures:
        """All of it."""

    def drain(self) -> None:
        """Begin no more calls."""


class Watch:
    """Runs a load test and tells how it goes."""

    def __init__(self, output: Output, plan: Plan, load: Load) -> None:
        self.interrupted = False
        self.faults: list[str] = []
        """What became of processes that did not come to their end: the test has failed with them."""
        self._output = output
        self._plan = plan
        self._load = load
        self._next_event = self._next_line = 0.0
        self._told_of_server = False
        self._warnings = 0

    async def run(self) -> None:
        """To its end. The first cancellation lets the calls that go on come to theirs."""
        run = asyncio.ensure_future(self._load.run())
        try:
            while not run.done():
                try:
                    await asyncio.wait({run}, timeout=REFRESH)
                except asyncio.CancelledError:
                    if self.interrupted:
                        raise
                    self.interrupted = True
                    text = f"no more calls; those that go on have {self._plan.drain:g} s to end"
                    self._output.event("warning", text, message=text)
                    self._load.drain()
                self._warn()
                self._show()
            run.result()
        finally:
            run.cancel()
            self._output.live(())

    def _warn(self) -> None:
        """Of what a person would want to know at once; each is told once."""
        for fault in getattr(self._load, "lost", ())[len(self.faults) :]:
            self.faults.append(fault)
            self._output.event("warning", fault, message=fault)
        warnings = getattr(self._load, "warnings", ())
        for warning in warnings[self._warnings :]:
            self._warnings += 1
            text = f"{warning}; {EXAMINE}"
            self._output.event("warning", text, message=text)
        if self._load.figures.disconnects and not self._told_of_server:
            self._told_of_server = True
            text = "the connection to the server was lost; calls fail until it is back"
            self._output.event("warning", text, message=text)

    def _show(self) -> None:
        figures, elapsed = self._load.figures, self._load.elapsed
        self._output.live(live_lines(self._plan, figures, elapsed, draining=self.interrupted))
        if elapsed >= self._next_event:
            self._next_event = elapsed + EVERY
            plain = isinstance(self._output, PlainOutput) and elapsed >= self._next_line
            if plain:
                self._next_line = elapsed + LINE_EVERY
            text = f"{clock(elapsed)}  {counts_line(figures)}  {times_line(figures)}" if plain else None
            self._output.event("load", text, **load_fields(figures, elapsed))


def load_fields(figures: Figures, elapsed: float) -> dict[str, Any]:
    """The fields of the events."""
    counts = ("started", "answered", "passed", "failed", "missed", "active")
    fields: dict[str, Any] = {
        "seconds": round(elapsed, 3),
        **{name: getattr(figures, name) for name in counts},
    }
    return fields | {f"setup_p{p}": figures.setup.quantile(p / 100) for p in (50, 90, 99)}


def live_lines(plan: Plan, figures: Figures, elapsed: float, *, draining: bool) -> list[str]:
    """Progress, counts, times, and why calls fail."""
    lines = [
        progress_line(plan, figures, elapsed, draining=draining),
        counts_line(figures),
        times_line(figures),
    ]
    if figures.causes:
        causes = ", ".join(f"{count} {cause}" for cause, count in figures.causes.most_common(3))
        lines.append(f"failures: {causes}")
    return lines


def progress_line(plan: Plan, figures: Figures, elapsed: float, *, draining: bool) -> str:
    """A bar where it is known how long it takes, and the time."""
    whole = plan.duration
    share = elapsed / whole if whole else (figures.started / plan.calls if plan.calls else None)
    doing = "ending" if draining or (share is not None and share >= 1) else "calling"
    if share is None:
        return f"{doing}  {clock(elapsed)}"
    share = min(1.0, share)
    full = round(share * _BAR)
    end = f" of {clock(whole)}" if whole else f", {figures.started} of {plan.calls} calls"
    return f"{doing}  {'━' * full}{'─' * (_BAR - full)} {100 * share:3.0f} %  {clock(elapsed)}{end}"


def counts_line(figures: Figures) -> str:
    """How many calls."""
    missed = f"  missed {figures.missed}" if figures.missed else ""
    return (
        f"calls {figures.started}  now {figures.active}  answered {figures.answered}  "
        f"failed {figures.failed} ({100 * figures.failure_share:.1f} %){missed}"
    )


def times_line(figures: Figures) -> str:
    """Percentiles of the set-up time."""
    if not figures.setup.count:
        return "set-up: no answer yet"
    shown = ((f"p{p}", figures.setup.quantile(p / 100) or 0.0) for p in (50, 90, 99))
    return "set-up " + "  ".join(f"{name} {1000 * value:.0f} ms" for name, value in shown)
