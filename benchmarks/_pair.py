"""One fresh stub and one fresh user agent, each a process on its own core, for one measurement."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks import _node
from benchmarks._common import MEASURED_CORE, PEER_CORE, ROOT, pinned, python

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIME_LIMIT = 900.0
"""Seconds after which a user agent that has not reported is given up."""

OURS, THEIRS = "sipua", "JsSIP"


@contextmanager
def stub() -> Iterator[str]:
    """Runs the stub server; gives its ``ws://`` URL."""
    with subprocess.Popen(
        pinned(PEER_CORE, python("_stub")), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"ws://127.0.0.1:{process.stdout.readline().split()[1]}"
        finally:
            process.terminate()


def contenders() -> list[str]:
    return [OURS] if _node.unavailable() else [OURS, THEIRS]


def run(
    agent: str, mode: str, *, environment: Mapping[str, str] | None = None, **parameters: object
) -> dict[str, Any]:
    """What a fresh user agent reports of itself after doing `mode` against a fresh stub.

    `environment` is added to ours for the user agent's process.
    """
    arguments = [part for name, value in parameters.items() for part in (f"--{name}", value)]
    with stub() as url:
        arguments = ["--url", url, "--mode", mode, *arguments]
        command = python("_driver", *arguments) if agent == OURS else _node.node("ua.mjs", *arguments)
        result = subprocess.run(
            pinned(MEASURED_CORE, command),
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    if result.returncode or not result.stdout.strip():
        raise SystemExit(f"{agent} {mode}: ended with status {result.returncode} and no figures")
    report: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return report
