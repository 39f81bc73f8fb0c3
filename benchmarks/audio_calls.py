"""Audio calls: CPU time, memory and punctuality of N calls at once, beside plain aiortc in the same run.

Two processes, each on its own core, have N calls over loopback (ICE, DTLS-SRTP, a tone each way, 20 ms), first by
sipua's media, then by plain aiortc. What is shown is the side that made the calls. Every call's sound is heard:
decoded, and given to somebody who counts it. CPU time is per second of one call, both ways; memory is that of the
calls after the first two; a packet is late by what passed between the moment it was due and the end of its tick,
and "own" leaves out what the process waited for a processor since it was last on time.

With --capacity calls are added instead until they are late: 1 % of packets by 20 ms or more.
"""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks._common import (
    MEASURED_CORE,
    PEER_CORE,
    ROOT,
    Figure,
    Report,
    main,
    options,
    pinned,
    progress,
    python,
    spread,
)

if TYPE_CHECKING:
    import argparse

OURS, PLAIN = "sipua", "aiortc"
#: How much cheaper than plain aiortc a call is to be.
TARGETS = {"pcmu": 4.0, "opus": 2.5}
MOST_MEGABYTES = 0.35
MOST_LATE = 20.0
TIME_LIMIT = 180.0
#: With how many calls the search for those that one core carries in time begins.
FIRST_CALLS = {(OURS, "pcmu"): 120, (OURS, "opus"): 50, (PLAIN, "pcmu"): 16, (PLAIN, "opus"): 8}


@dataclass
class AudioReport(Report):
    """With the figures under short names, for programs."""

    summary: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), **self.summary}


def parser() -> argparse.ArgumentParser:
    parser = options(__doc__, calls=(40, 20), seconds=(15, 6), repetitions=(3, 1))
    parser.add_argument("--capacity", action="store_true", help="how many calls does one core carry in time?")
    return parser


def measure(arguments: argparse.Namespace) -> Report:
    return _capacity(arguments) if arguments.capacity else _cost(arguments)


def _capacity(arguments: argparse.Namespace) -> Report:
    """Of ours and of plain aiortc."""
    seconds = min(arguments.seconds, 4)
    report = AudioReport("audio_capacity", "audio calls that one core carries in time", {"seconds": seconds})
    most: dict[str, dict[str, int]] = {}
    for codec, least in TARGETS.items():
        most[codec] = {}
        for agent in (OURS, PLAIN):
            progress(f"audio calls: {codec}, {agent}, how many")
            found = _pair(agent, codec, FIRST_CALLS[agent, codec], seconds, "--capacity")
            most[codec][agent] = found["calls"]
            report.rows.append(
                {
                    "codec": codec,
                    "by": agent,
                    "calls in time": found["calls"],
                    "core": found["core"],
                    "late p99 ms": found["late_p99_ms"],
                    "too many": found["late"],
                }
            )
        progress("")
        if most[codec][PLAIN]:
            ratio = most[codec][OURS] / most[codec][PLAIN]
            report.figures.append(
                Figure(f"{codec}, calls on one core against plain aiortc", ratio, "times", least=least)
            )
    report.summary = {"capacity": most}
    return report


def _cost(arguments: argparse.Namespace) -> Report:
    report = AudioReport(
        "audio_calls",
        f"{arguments.calls} audio calls at once, {arguments.seconds} s",
        {name: getattr(arguments, name) for name in ("calls", "seconds", "repetitions")},
    )
    ratios: dict[str, float] = {}
    ours: list[dict[str, Any]] = []
    for codec in TARGETS:
        runs: dict[str, list[dict[str, Any]]] = {OURS: [], PLAIN: []}
        for number in range(arguments.repetitions):
            for agent, found in runs.items():
                progress(f"audio calls: {codec}, {agent}, {number + 1} of {arguments.repetitions}")
                found.append(_pair(agent, codec, arguments.calls, arguments.seconds))
        progress("")
        cost = {agent: spread(run["cpu_per_call_second"] for run in found) for agent, found in runs.items()}
        for agent, found in runs.items():
            report.rows.append(_row(codec, agent, found))
        ratios[codec] = cost[PLAIN].median / cost[OURS].median
        report.figures.append(
            Figure(f"{codec}, cheaper than aiortc", ratios[codec], "times", least=TARGETS[codec])
        )
        ours += runs[OURS]
    memory = max(run["memory_kb_per_call"] for run in ours) / 1024
    late, lost = spread(run["own_p99_ms"] for run in ours).median, sum(run["lost"] for run in ours)
    threads = max(run["threads"] for run in ours)
    report.figures += [
        Figure("memory", memory, "MB a call", most=MOST_MEGABYTES),
        Figure("packets late by our own work, p99", late, "ms", most=MOST_LATE),
        Figure("packets lost", lost, "packets", most=0),
        Figure("threads", threads, "threads"),
    ]
    report.summary = {
        "ratio": {codec: round(ratio, 3) for codec, ratio in ratios.items()},
        "memory_mb_per_call": round(memory, 4),
        "threads": threads,
        "late_p99_ms": round(late, 3),
        "lost": lost,
    }
    return report


def _row(codec: str, agent: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    def column(name: str, scale: float = 1.0) -> Any:
        return spread(run[name] * scale for run in runs)

    return {
        "codec": codec,
        "by": agent,
        "CPU ms per call and s": column("cpu_per_call_second", 1000),
        "core": column("core"),
        "heard of sent": column("heard"),
        "late p50 ms": column("late_p50_ms"),
        "late p99 ms": column("late_p99_ms"),
        "own p99 ms": column("own_p99_ms"),
        "kB a call": column("memory_kb_per_call"),
        "threads": max(run["threads"] for run in runs),
        "set-up ms": column("setup_cpu_ms"),
    }


def _pair(agent: str, codec: str, calls: int, seconds: int, *more: str) -> dict[str, Any]:
    """What the side that makes the calls reports."""

    def side(role: str, core: int) -> subprocess.Popen[str]:
        command = python(
            "_audio_side",
            *("--agent", agent, "--role", role, "--port", port, "--codec", codec),
            *("--calls", calls, "--seconds", seconds, *more),
        )
        return subprocess.Popen(pinned(core, command), cwd=ROOT, stdout=subprocess.PIPE, text=True)

    port = _free_port()
    processes = [side("answer", PEER_CORE)]
    try:
        assert processes[0].stdout is not None
        if processes[0].stdout.readline().strip() != "READY":
            raise SystemExit(f"{agent}: the answering side did not start")
        processes.append(side("offer", MEASURED_CORE))
        output, _ = processes[1].communicate(timeout=TIME_LIMIT)
        if processes[1].returncode:
            raise SystemExit(f"{agent}: the calling side ended with status {processes[1].returncode}")
        result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        return result
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main(parser(), measure)
