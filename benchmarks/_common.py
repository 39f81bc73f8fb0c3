"""Shared by every figure: options, core pinning, statistics, and one report as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

MEASURED_CORE, PEER_CORE = 0, 1

EXIT_OK, EXIT_MISSED, EXIT_NOT_COMPARED = 0, 1, 3


# --- statistics ---------------------------------------------------------------------------------------------


class Spread(NamedTuple):
    """Least, middle and greatest of the repetitions of one measurement."""

    min: float
    median: float
    max: float

    def __str__(self) -> str:
        return "/".join(significant(value) for value in self)


def spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    return Spread(ordered[0], statistics.median(ordered), ordered[-1])


def significant(value: float) -> str:
    """Three significant digits, never in exponent notation: ``0.0123``, ``4.57``, ``15800``."""
    if value == 0:
        return "0"
    digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if digits >= 3:
        return str(int(round(value, 3 - digits)))
    return f"{value:#.3g}".rstrip(".")


# --- the machine --------------------------------------------------------------------------------------------


def two_cores() -> bool:
    """Whether the thing measured and its peer can each have a core of their own."""
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return False
    return {MEASURED_CORE, PEER_CORE} <= os.sched_getaffinity(0)


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command, bound to one core where the machine allows it."""
    return ["taskset", "-c", str(core), *command] if two_cores() else list(command)


def python(module: str, *arguments: object) -> list[str]:
    """A command that runs a module of this package in a fresh interpreter (from ROOT)."""
    return [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine() -> dict[str, Any]:
    """The machine in plain words: nothing that names the host."""
    node = shutil.which("node")
    version = (
        subprocess.run([node, "--version"], capture_output=True, text=True, check=False) if node else None
    )
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "node": version.stdout.strip() if version else None,
        "pinned": two_cores(),
        "load": round(os.getloadavg()[0], 2),
    }


# --- the report ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One number that has a target. `most` and `least` bound it; at most one of them is set."""

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def ok(self) -> bool:
        return not (
            (self.most is not None and self.value > self.most)
            or (self.least is not None and self.value < self.least)
        )

    @property
    def target(self) -> str:
        if self.most is not None:
            return f"≤ {self.most:g} {self.unit}"
        return f"≥ {self.least:g} {self.unit}" if self.least is not None else ""


@dataclass
class Report:
    """What one benchmark found: rows of measurements, figures with targets, what could not be compared."""

    benchmark: str
    title: str
    parameters: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_compared: str | None = None
    always_check: bool = False

    @property
    def ok(self) -> bool:
        return all(figure.ok for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        def plain(value: Any) -> Any:
            return (
                {k: round(v, 6) for k, v in value._asdict().items()} if isinstance(value, Spread) else value
            )

        return {
            "schema": 1,
            "benchmark": self.benchmark,
            "machine": machine(),
            "parameters": self.parameters,
            "rows": [{key: plain(value) for key, value in row.items()} for row in self.rows],
            "figures": [
                {**asdict(figure), "value": round(figure.value, 4), "ok": figure.ok}
                for figure in self.figures
            ],
            "notes": self.notes,
            "not_compared": self.not_compared,
        }

    def as_text(self) -> str:
        parts = [self.title, _words(machine()), "", table(self.rows)]
        if self.figures:
            parts += ["", table([_figure_row(figure) for figure in self.figures])]
        parts += ["", *self.notes] if self.notes else []
        if self.not_compared:
            parts += ["", f"COMPARISON NOT RUN: {self.not_compared}"]
        return "\n".join(parts)


def _figure_row(figure: Figure) -> dict[str, Any]:
    verdict = ("yes" if figure.ok else "NO") if figure.target else ""
    return {
        "figure": figure.name,
        "value": f"{significant(figure.value)} {figure.unit}",
        "target": figure.target,
        "met": verdict,
    }


def _words(facts: dict[str, Any]) -> str:
    cores = f"{facts['cores']} cores" if facts["cores"] != 1 else "1 core"
    node = f", Node {facts['node']}" if facts["node"] else ", no Node"
    pins = "each process on its own core" if facts["pinned"] else "processes not pinned"
    return (
        f"{facts['cpu']}, {cores}, {facts['system']}, {facts['python']}{node}; {pins}; load {facts['load']}"
    )


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as an aligned text table; the columns are the keys of all rows in order of appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    lines = [columns, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return significant(value) if isinstance(value, float) else str(value)


# --- the command line ---------------------------------------------------------------------------------------


def options(doc: str | None, **numbers: tuple[int, int]) -> argparse.ArgumentParser:
    """The options every figure takes; `numbers` adds whole-number options as (full run, --quick)."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a shorter run: coarser numbers, same shape")
    parser.add_argument("--json", action="store_true", help="JSON on stdout, the table on stderr")
    parser.add_argument("--check", action="store_true", help=f"exit {EXIT_MISSED} when a target is missed")
    parser.add_argument(
        "--require-compare",
        action="store_true",
        help=f"exit {EXIT_NOT_COMPARED} when the comparison could not be run",
    )
    for name, (full, quick) in numbers.items():
        parser.add_argument(
            f"--{name}", type=int, metavar="N", default=(full, quick), help=f"{full}; --quick {quick}"
        )
    return parser


def parsed(parser: argparse.ArgumentParser, command_line: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with every number that was not given set to that of a full or a quick run."""
    arguments = parser.parse_args(command_line)
    for name, value in vars(arguments).items():
        if isinstance(value, tuple):
            setattr(arguments, name, value[1] if arguments.quick else value[0])
    return arguments


def main(parser: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], Report]) -> None:
    """Measure, print, and exit with the code that --check and --require-compare ask for."""
    leave_on_signals()
    arguments = parsed(parser)
    report = measure(arguments)
    print(report.as_text(), file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    raise SystemExit(exit_code(report, arguments))


def leave_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process as an exit does, with the processes that it has started."""

    def leave(number: int, frame: object) -> None:
        # A second one must not break off the first one's ending.
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in _SIGNALS:
        signal.signal(each, leave)


_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def exit_code(report: Report, arguments: argparse.Namespace) -> int:
    if not report.ok and (arguments.check or report.always_check):
        return EXIT_MISSED
    if report.not_compared and arguments.require_compare:
        return EXIT_NOT_COMPARED
    return EXIT_OK


def progress(text: str) -> None:
    """One line about what is being measured now, for a person at a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
