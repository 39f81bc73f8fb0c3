"""A fleet of idle registered user agents in one process: memory, and time until all are back after a cut.

Memory is resident memory after a forced collection, against one agent registered before. The stub then
destroys every WebSocket at once, and the time runs until the last agent is registered again, with each
library's default pauses. Beside JsSIP, in turns.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import _node, _pair
from benchmarks._common import Figure, Report, main, options, progress, spread

if TYPE_CHECKING:
    import argparse

MOST_KILOBYTES = 60.0
MOST_SECONDS = 3.0
COLUMNS = {
    "kb_per_ua": "kB an agent",
    "start_s": "start s",
    "idle_cpu": "idle CPU of a core",
    "first_back_s": "first back s",
    "all_back_s": "all back s",
    "back_cpu_s": "CPU s to be back",
}


def parser() -> argparse.ArgumentParser:
    return options(__doc__, count=(1000, 300), repetitions=(3, 1))


def measure(arguments: argparse.Namespace) -> Report:
    count, repetitions = arguments.count, arguments.repetitions
    report = Report(
        "fleet",
        f"{count} registered user agents in one process, then all cut off ({repetitions} runs in turns)",
        {"count": count, "repetitions": repetitions},
        not_compared=_node.unavailable(),
    )
    runs: dict[str, list[dict[str, Any]]] = {agent: [] for agent in _pair.contenders()}
    for turn in range(repetitions):
        for agent in runs:
            progress(f"fleet: {agent}, {turn + 1}/{repetitions}")
            runs[agent].append(_pair.run(agent, "fleet", count=count))
    progress("")
    for agent, each in runs.items():
        cells = {title: spread(run[key] for run in each) for key, title in COLUMNS.items()}
        report.rows.append({"agent": agent, **cells})
    ours = runs[_pair.OURS]
    kilobytes = statistics.median(run["kb_per_ua"] for run in ours)
    report.figures.append(Figure("memory of an idle agent", kilobytes, "kB", most=MOST_KILOBYTES))
    if _pair.THEIRS in runs:
        pairs = zip(ours, runs[_pair.THEIRS], strict=True)
        ratio = statistics.median(own["kb_per_ua"] / other["kb_per_ua"] for own, other in pairs)
        report.figures.append(Figure("memory against JsSIP", ratio, "×"))
    back = statistics.median(run["all_back_s"] for run in ours)
    report.figures.append(Figure("all registered again", back, "s", most=MOST_SECONDS))
    return report


if __name__ == "__main__":
    main(parser(), measure)
