"""Start-up: a fresh interpreter that imports sipua, or shows the help of its command; beside `import aiortc`.

Wall time from starting the process to its end, on one core, cases in turns after one unmeasured round that
fills the file cache and writes the byte code.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._common import (
    MEASURED_CORE,
    ROOT,
    Figure,
    Report,
    main,
    options,
    pinned,
    progress,
    spread,
)

if TYPE_CHECKING:
    import argparse


def statement(code: str) -> list[str]:
    return [sys.executable, "-c", code]


CASES: dict[str, list[str]] = {
    "python": statement("pass"),
    "import sipua": statement("import sipua"),
    "from sipua import UA": statement("from sipua import UA"),
    "sipua --help": [str(Path(sys.executable).with_name("sipua")), "--help"],
    "import aiortc": statement("import aiortc"),
    "import websockets.asyncio.client": statement("import websockets.asyncio.client"),
    "import sipmessage": statement("import sipmessage"),
}
TARGETS = {"from sipua import UA": 0.15, "sipua --help": 0.35}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    result = subprocess.run(
        pinned(MEASURED_CORE, command), cwd=ROOT, env=environment, check=False, stdout=subprocess.DEVNULL
    )
    spent = time.perf_counter() - started
    if result.returncode:
        raise SystemExit(f"`{' '.join(command)}` ended with status {result.returncode}")
    return spent


def parser() -> argparse.ArgumentParser:
    return options(__doc__, repetitions=(25, 7))


def measure(arguments: argparse.Namespace) -> Report:
    repetitions = arguments.repetitions
    report = Report(
        "startup",
        f"Start-up in a fresh interpreter ({repetitions} rounds in turns)",
        {"repetitions": repetitions},
    )
    times: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as cache:
        # Byte code is kept as after any first start, wherever this environment keeps it, or forbids it.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(-1, repetitions):
            progress(f"startup: round {turn + 1}/{repetitions}")
            for name, command in CASES.items():
                spent = seconds(command, environment)
                if turn >= 0:
                    times[name].append(spent)
    progress("")
    for name, values in times.items():
        report.rows.append({"case": name, "seconds": spread(values)})
        if name in TARGETS:
            report.figures.append(Figure(name, spread(values).median, "s", most=TARGETS[name]))
    ours, theirs = spread(times["from sipua import UA"]).median, spread(times["import aiortc"]).median
    report.figures.append(Figure("from sipua import UA against import aiortc", ours / theirs, "×"))
    return report


if __name__ == "__main__":
    main(parser(), measure)
