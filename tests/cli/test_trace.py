from __future__ import annotations

import json
from pathlib import Path

import pytest

from sipua.cli.trace import Trace, TracedMessage, read_trace

REGISTER = (
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\n"
    'Authorization: Digest username="alice", realm="r", nonce="n",\r\n'
    ' response="0123456789abcdef0123456789abcdef", cnonce="zzz"\r\n'
    "Call-ID: 1\r\n\r\n"
)


def test_file_has_one_object_a_line_and_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    times = iter((100.5, 101.25))
    with Trace(path, clock=lambda: next(times)) as trace:
        trace.server = "ws://127.0.0.1:1/"
        trace.add("out", REGISTER)
        trace.add("in", "\r\n")
        trace.add("in", "SIP/2.0 200 Grüß\r\n\r\n".encode())
    first, second = path.read_text().splitlines()
    assert json.loads(first)["direction"] == "out"
    assert json.loads(first)["time"] == 100.5
    assert "0123456789" not in first
    assert json.loads(second) == {
        "time": 101.25,
        "direction": "in",
        "server": "ws://127.0.0.1:1/",
        "message": "SIP/2.0 200 Grüß\r\n\r\n",
    }
    assert list(read_trace(path)) == trace.messages


def test_memory_is_bounded() -> None:
    trace = Trace(limit=2)
    for number in range(5):
        trace.add("in", f"OPTIONS sip:{number} SIP/2.0\r\n\r\n")
    assert [message.message.split()[1] for message in trace.messages] == ["sip:0", "sip:1"]


def test_full_disk_is_told_once_and_the_trace_goes_on_in_memory() -> None:
    told: list[OSError] = []
    with Trace(Path("/dev/full"), on_error=told.append) as trace:
        trace.add("out", REGISTER)
        trace.add("out", REGISTER)
    assert len(told) == 1
    assert len(trace.messages) == 2


def test_file_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Trace(tmp_path / "none" / "trace")


@pytest.mark.parametrize("line", ["{", "[]", '{"time": 1}', "3"])
def test_line_that_is_none_of_a_trace_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace"
    good = TracedMessage(1.0, "in", "", "SIP/2.0 200 OK\r\n\r\n")
    with Trace(path) as trace:
        trace.add(good.direction, good.message)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"trace:2: not a line of a trace"):
        list(read_trace(path))
