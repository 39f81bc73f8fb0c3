"""Typed parse of a 1.7 kB INVITE: sipua.sip beside JsSIP's parser under Node and beside plain sipmessage.

Read of every message: Via (the top one), From, To, CSeq, Contact, Record-Route, Content-Type, down to
hosts, users and tags; that all libraries read the same values is checked before anything is measured. One
process per library on one core, in turns; CPU time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import _node
from benchmarks._common import (
    MEASURED_CORE,
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
from benchmarks._messages import invites

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

WARM_UP = 5
"""Unmeasured passes: Node compiles what is hot only after thousands of messages."""

TARGET = 2.0


class Worker:
    """A parser process that answers one command after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a parser process ended early (status {self._process.wait()})")
        return json.loads(line)

    def microseconds(self) -> float:
        """CPU per message over one pass."""
        answer = self.ask("run")
        return float(answer["cpu_s"]) * 1e6 / int(answer["messages"])


@contextmanager
def worker(command: list[str]) -> Iterator[Worker]:
    with subprocess.Popen(
        pinned(MEASURED_CORE, command), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def commands(messages: Path) -> dict[str, list[str]]:
    found = {
        name: python("_parse_worker", "--library", name, "--messages", messages)
        for name in ("sipua", "sipmessage")
    }
    if _node.unavailable() is None:
        found["JsSIP"] = _node.node("parse.mjs", "--messages", messages)
    return found


def same_values(workers: dict[str, Worker]) -> None:
    """Ends the run when the libraries do not read the same values from the same messages."""
    values = {name: each.ask("values") for name, each in workers.items()}
    for name, found in values.items():
        for ours, theirs in zip(values["sipua"], found, strict=True):
            if ours != theirs:
                raise SystemExit(f"{name} reads other values than sipua:\n{theirs}\n{ours}")


def parser() -> argparse.ArgumentParser:
    return options(__doc__, messages=(2000, 1000), repetitions=(15, 5))


def measure(arguments: argparse.Namespace) -> Report:
    count, repetitions = arguments.messages, arguments.repetitions
    texts = invites(count)
    report = Report(
        "parse",
        f"Typed parse of INVITEs of {len(texts[0])} bytes ({count} different, {repetitions} passes each)",
        {"messages": count, "repetitions": repetitions, "bytes": len(texts[0])},
        not_compared=_node.unavailable(),
    )
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder, "messages.json")
        path.write_text(json.dumps(texts))
        workers = {name: stack.enter_context(worker(command)) for name, command in commands(path).items()}
        same_values(workers)
        times: dict[str, list[float]] = {name: [] for name in workers}
        for turn in range(-WARM_UP, repetitions):
            progress(f"parse: pass {turn + 1}/{repetitions}")
            for name, each in workers.items():
                spent = each.microseconds()
                if turn >= 0:
                    times[name].append(spent)
    progress("")
    fill(report, times)
    return report


def fill(report: Report, times: dict[str, list[float]]) -> None:
    """Rows and figures. The ratio is the median of the turns' own, so that a busy moment hits both sides."""
    for name, values in times.items():
        report.rows.append(
            {
                "parser": name,
                "µs a message": spread(values),
                "messages a second": 1e6 / statistics.median(values),
            }
        )
        if name != "sipua":
            ratio = statistics.median(
                theirs / ours for ours, theirs in zip(times["sipua"], values, strict=True)
            )
            least = TARGET if name == "JsSIP" else None
            report.figures.append(Figure(f"as fast as {name}", ratio, "×", least=least))


if __name__ == "__main__":
    main(parser(), measure)
