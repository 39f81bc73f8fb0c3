"""The report: statistics, targets, tables, JSON and exit codes."""

from __future__ import annotations

import json
import platform
import signal
import socket
import subprocess
import sys

import pytest

from benchmarks._common import (
    ROOT,
    Figure,
    Report,
    Spread,
    exit_code,
    machine,
    options,
    parsed,
    significant,
    spread,
    table,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (4.567, "4.57"), (60.04, "60.0"), (123.4, "123"), (15834.2, "15800")],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_spread_is_least_middle_and_greatest() -> None:
    assert spread([3.0, 1.0, 9.0, 2.0]) == Spread(1.0, 2.5, 9.0)
    assert str(spread([0.5])) == "0.500/0.500/0.500"


@pytest.mark.parametrize(
    ("figure", "ok", "target"),
    [
        (Figure("f", 1.5, "×", most=1.5), True, "≤ 1.5 ×"),
        (Figure("f", 1.51, "×", most=1.5), False, "≤ 1.5 ×"),
        (Figure("f", 2.0, "×", least=2.0), True, "≥ 2 ×"),
        (Figure("f", 1.99, "×", least=2.0), False, "≥ 2 ×"),
        (Figure("f", 7.0, "×"), True, ""),
    ],
)
def test_a_figure_meets_its_target_or_not(figure: Figure, ok: bool, target: str) -> None:
    assert (figure.ok, figure.target) == (ok, target)


def test_a_table_aligns_columns_and_leaves_unknown_cells_empty() -> None:
    assert table([{"what": "a", "s": 1.0}, {"what": "longer", "n": 2}]).splitlines() == [
        "what    s     n",
        "------  ----  -",
        "a       1.00",
        "longer        2",
    ]


def test_numbers_default_to_a_full_or_a_quick_run() -> None:
    parser = options("doc", count=(5000, 1000))
    assert parsed(parser, []).count == 5000
    assert parsed(parser, ["--quick"]).count == 1000
    assert parsed(parser, ["--quick", "--count", "7"]).count == 7


def _report(*figures: Figure, not_compared: str | None = None) -> Report:
    return Report("name", "Title", {"n": 1}, figures=list(figures), not_compared=not_compared)


def test_exit_codes() -> None:
    parser = options("doc")
    missed, met = Figure("f", 2.0, "×", most=1.0), Figure("f", 1.0, "×", most=1.0)
    assert exit_code(_report(missed), parsed(parser, [])) == 0
    assert exit_code(_report(missed), parsed(parser, ["--check"])) == 1
    assert exit_code(_report(met), parsed(parser, ["--check"])) == 0
    assert exit_code(_report(met, not_compared="no node"), parsed(parser, ["--check"])) == 0
    assert exit_code(_report(met, not_compared="no node"), parsed(parser, ["--require-compare"])) == 3
    always = _report(missed)
    always.always_check = True
    assert exit_code(always, parsed(parser, [])) == 1


def test_a_report_as_json_and_as_text() -> None:
    report = _report(Figure("f", 1.23456, "×", most=1.0), not_compared="node is not installed")
    report.rows.append({"agent": "sipua", "CPU ms": spread([1.0, 2.0, 3.0])})
    found = json.loads(json.dumps(report.as_json()))
    assert found["rows"] == [{"agent": "sipua", "CPU ms": {"min": 1.0, "median": 2.0, "max": 3.0}}]
    assert found["figures"][0] == {
        "name": "f",
        "value": 1.2346,
        "unit": "×",
        "most": 1.0,
        "least": None,
        "ok": False,
    }
    text = report.as_text()
    assert "1.00/2.00/3.00" in text
    assert "COMPARISON NOT RUN: node is not installed" in text


def test_the_machine_is_described_without_its_name() -> None:
    facts = machine()
    assert facts["cores"] >= 1
    assert platform.python_version() in facts["python"]
    assert platform.node() not in facts.values()


ENDED = """
import time
from benchmarks import _pair
from benchmarks._common import leave_on_signals

leave_on_signals()
with _pair.stub() as url:
    print(url, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_processes_that_were_started(number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDED], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().removeprefix("ws://").partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        process.send_signal(number)
        assert process.wait(10) == 128 + number
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
