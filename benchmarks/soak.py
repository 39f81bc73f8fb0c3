"""Calls in a row: they leave no transaction, dialog, session, task or file descriptor, and cost < 1 kB each.

One user agent makes the calls (and then another takes as many) one after the other against the stub server.
What is left is counted by the agent itself, once every SIP timer of the last call has run out (the longest,
64·T1, is 32 s). Memory is resident memory before the calls and after them, after a collection and with free
memory given back to the system. That is possible with the C library's allocator only, so the measurement runs
on that one; a full run repeats it on Python's own, which keeps what it once had for the next calls. Exits 1
when something is left or memory grew too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import _pair
from benchmarks._common import Figure, Report, main, options, progress

if TYPE_CHECKING:
    import argparse

MOST_KILOBYTES = 1.0
DIRECTIONS = {"uac": "made", "uas": "taken"}
ALLOCATORS = {"C's": {"PYTHONMALLOC": "malloc"}, "Python's": {"PYTHONMALLOC": "default"}}


def parser() -> argparse.ArgumentParser:
    return options(__doc__, count=(10000, 1000), warmup=(200, 200))


def measure(arguments: argparse.Namespace) -> Report:
    report = Report(
        "soak",
        f"{arguments.count} calls made in a row, and {arguments.count} taken",
        {"count": arguments.count, "warmup": arguments.warmup},
        always_check=True,
    )
    for allocator in ["C's"] if arguments.quick else ALLOCATORS:
        for mode, direction in DIRECTIONS.items():
            progress(f"soak: calls {direction}, {allocator} allocator")
            run = _pair.run(
                _pair.OURS,
                f"soak-{mode}",
                environment=ALLOCATORS[allocator],
                count=arguments.count,
                warmup=arguments.warmup,
            )
            progress("")
            fill(report, direction, allocator, run)
    return report


def fill(report: Report, direction: str, allocator: str, run: dict[str, Any]) -> None:
    left: dict[str, int] = run["left"]
    grown = (run["after_kb"] - run["before_kb"]) / run["count"]
    report.rows.append(
        {
            "calls": direction,
            "allocator": allocator,
            "a second": run["per_s"],
            **{f"{name} left": number for name, number in left.items()},
            "MB before": run["before_kb"] / 1024,
            "MB after": run["after_kb"] / 1024,
            "kB a call": grown,
            "MB at most": run["peak_kb"] / 1024,
        }
    )
    if allocator == "C's":
        report.figures.append(
            Figure(f"left behind, calls {direction}", sum(left.values()), "objects", most=0)
        )
        report.figures.append(
            Figure(f"memory grown, calls {direction}", grown, "kB a call", most=MOST_KILOBYTES)
        )


if __name__ == "__main__":
    main(parser(), measure)
