from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.trace import TraceError, read_trace, write_trace
from sipua.trace.records import encode, header
from tests.trace.traces import CALL

HEAD = header(1.0, "sipua 9")
GOOD = json.dumps({"kind": "message", "time": 1.0, "direction": "in", "peer": "", "message": "x"})


def written(tmp_path: Path, *lines: str, end: str = "\n") -> Path:
    path = tmp_path / "trace"
    path.write_text("\n".join(lines) + end)
    return path


@pytest.mark.parametrize(
    "text", ["", "\n", "hello", "[]", "{}", '{"time": 1}', '{"format": "other"}', "\0" * 50, "[" * 9999]
)
def test_what_is_no_trace(tmp_path: Path, text: str) -> None:
    with pytest.raises(TraceError, match="trace: not a trace of sipua; --trace FILE makes one"):
        read_trace(written(tmp_path, text))


def test_bytes_that_are_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"\xd4\xc3\xb2\xa1\xff\xfe")
    with pytest.raises(TraceError, match="not a trace"):
        read_trace(path)


def test_newer_version_says_who_can_read_it(tmp_path: Path) -> None:
    head = json.dumps({"format": "sipua-trace", "version": 2, "software": "sipua 7.0"})
    with pytest.raises(
        TraceError, match=r"version 2 \(it was written by sipua 7.0\).* up to 1: use a newer sipua"
    ):
        read_trace(written(tmp_path, head))


@pytest.mark.parametrize("version", [0, "1", None, 1.5])
def test_version_that_is_none(tmp_path: Path, version: object) -> None:
    with pytest.raises(TraceError, match="its version is"):
        read_trace(written(tmp_path, json.dumps({"format": "sipua-trace", "version": version})))


def test_kinds_and_fields_that_are_not_known_are_left_out(tmp_path: Path) -> None:
    more = json.dumps({**json.loads(GOOD), "new": 1})
    trace = read_trace(written(tmp_path, HEAD, '{"kind":"new"}', more, ""))
    assert len(trace.messages) == 1
    assert trace.skipped == 1
    assert trace.software == "sipua 9"
    assert trace.cut is None


def change(**changes: Any) -> str:
    line = {**json.loads(GOOD), **changes}
    return json.dumps({name: value for name, value in line.items() if value != "gone"})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        ("{}", "it has no kind"),
        (change(time="1"), "time is '1'"),
        (change(time=True), "time is True"),
        (change(time=float("nan")), "time is nan"),
        (change(time=1e300), "time is 1e"),
        (change(time=-1), "time is -1"),
        (change(direction="up"), "direction is 'up'"),
        (change(message=None), "message is None"),
        (change(message="gone"), "message is missing"),
        ('{"kind":"stats","time":1,"call":null,"stats":{}}', "call is None"),
        ('{"kind":"event","time":1,"name":"x","details":[]}', r"details is \[\]"),
    ],
)
def test_broken_line_in_the_midst_is_named_and_as_the_last_one_is_left_out(
    tmp_path: Path, line: str, why: str
) -> None:
    with pytest.raises(TraceError, match=rf"trace:3: not a line of a trace: {why}"):
        read_trace(written(tmp_path, HEAD, GOOD, line, GOOD))
    trace = read_trace(written(tmp_path, HEAD, GOOD, line))
    assert len(trace.records) == 1
    assert trace.cut == "line 3 is not complete"


def test_zeros_after_a_power_failure_are_an_end(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, HEAD, GOOD, "\0" * 4096, end=""))
    assert len(trace.records) == 1
    assert trace.cut is not None


def test_only_a_head(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, HEAD)).records == []
    assert read_trace(written(tmp_path, HEAD)).cut is None
    assert read_trace(written(tmp_path, HEAD, end="")).cut is not None


WHOLE = "".join(line + "\n" for line in (HEAD, *map(encode, CALL))).encode()


@given(st.integers(len(HEAD) + 1, len(WHOLE)))
def test_cut_anywhere_the_whole_lines_are_there(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        path.write_bytes(WHOLE[:size])
        trace = read_trace(path)
    complete = WHOLE[:size].count(b"\n") - 1
    # A last line that lacks its line end only is complete.
    assert trace.records in (CALL[:complete], CALL[: complete + 1])
    assert (trace.cut is None) == (WHOLE[size - 1 : size] == b"\n")


def test_order_is_that_of_time(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace", reversed(CALL))
    assert [record.time for record in read_trace(tmp_path / "trace").records] == [
        record.time for record in CALL
    ]
