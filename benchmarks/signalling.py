"""CPU per signalling-only call, made or taken, and per registration: sipua beside JsSIP under Node.

A call is INVITE with SDP, 100, 180 and 200 at once, ACK, BYE at once, 200: nobody waits for a person and no
media runs (sipua's SignallingOnlyMedia, a stub RTCPeerConnection for JsSIP). Loopback WebSocket; the same
stub server for both, on core 1, the user agent on core 0; a fresh pair of processes for each measurement,
in turns. CPU is user + system of the user agent's whole process, after a warm-up.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import _node, _pair
from benchmarks._common import Figure, Report, main, options, progress, spread

if TYPE_CHECKING:
    import argparse

MODES = {"uac": "call made", "uas": "call taken", "register": "REGISTER + un-REGISTER"}
TARGET = 1.5

Runs = dict[str, list[dict[str, Any]]]


def complete(mode: str, count: int, received: dict[str, int]) -> bool:
    """Whether the stub saw every message that the work consists of."""
    if mode == "uac":
        return all(received.get(method) == count for method in ("INVITE", "ACK", "BYE"))
    if mode == "register":
        return received.get("REGISTER") == 2 * count
    return received.get("SIP/2.0", 0) >= 2 * count


def measured(agent: str, mode: str, count: int, width: int, warmup: int) -> dict[str, Any]:
    figures = _pair.run(agent, mode, count=count, width=width, warmup=warmup)
    if not complete(mode, count, figures["received"]):
        raise SystemExit(f"{agent} {mode}: not every message arrived: {figures['received']}")
    return figures


def parser() -> argparse.ArgumentParser:
    found = options(__doc__, count=(5000, 1000), warmup=(2000, 1000), repetitions=(5, 3), width=(10, 10))
    found.add_argument("--mode", action="append", choices=MODES, help="one kind of work only (repeatable)")
    return found


def measure(arguments: argparse.Namespace) -> Report:
    count, warmup, width, repetitions = (
        arguments.count,
        arguments.warmup,
        arguments.width,
        arguments.repetitions,
    )
    report = Report(
        "signalling",
        f"Signalling over WebSocket: {count} calls, {width} at a time, {repetitions} process pairs in turns",
        {"count": count, "warmup": warmup, "width": width, "repetitions": repetitions},
        not_compared=_node.unavailable(),
    )
    for mode in arguments.mode or MODES:
        runs: Runs = {agent: [] for agent in _pair.contenders()}
        for turn in range(repetitions):
            for agent in runs:
                progress(f"signalling: {mode}, {agent}, {turn + 1}/{repetitions}")
                runs[agent].append(measured(agent, mode, count, width, warmup))
        progress("")
        fill(report, mode, runs)
    return report


def fill(report: Report, mode: str, runs: Runs) -> None:
    for agent, each in runs.items():
        report.rows.append(
            {
                "work": MODES[mode],
                "agent": agent,
                "CPU ms": spread(run["cpu_ms"] for run in each),
                "a second": spread(run["per_s"] for run in each),
                "stub CPU ms": statistics.median(run["stub_cpu_ms"] for run in each),
            }
        )
    if _pair.THEIRS in runs:
        pairs = zip(runs[_pair.OURS], runs[_pair.THEIRS], strict=True)
        ratio = statistics.median(ours["cpu_ms"] / theirs["cpu_ms"] for ours, theirs in pairs)
        report.figures.append(Figure(f"CPU against JsSIP, {MODES[mode]}", ratio, "×", most=TARGET))


if __name__ == "__main__":
    main(parser(), measure)
