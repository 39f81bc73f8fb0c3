"""``sipua trace``: what it shows and writes of a trace, and of files that are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.app import run
from sipua.cli.events import faults
from sipua.cli.exits import ExitCode
from sipua.trace import write_trace
from tests.trace.traces import CALL, sip, traced

if TYPE_CHECKING:
    from pathlib import Path

OTHER = traced(99.0, "out", sip("OPTIONS sip:example.com SIP/2.0", "1 OPTIONS", call_id="other"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "call.trace"
    write_trace(path, [OTHER, *CALL])
    return path


class Shown:
    def __init__(self, capsys: pytest.CaptureFixture[str], *args: object) -> None:
        self.code = run(["trace", *map(str, args)])
        self.out, self.err = capsys.readouterr()
        self.lines = self.out.splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.lines]
        for event in events:
            fields = {name: value for name, value in event.items() if name not in ("schema", "event", "time")}
            assert faults(event["event"], fields) == []
        return events


def test_ladder(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, file)
    assert shown.code == ExitCode.OK
    assert [line.split()[1] for line in shown.lines[1:8]] == ["A"] + ["B"] * 6
    assert shown.lines[2].split()[0] == "1.000"
    assert "1, SDP offer" in shown.lines[2]
    assert len(shown.lines) == 1 + 7 + 2


@pytest.mark.parametrize("name", ["B", "b", "call-1", "cal"])
def test_one_call_with_numbers_and_events(file: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, file, "--call", name, "--numbers", "--events")
    assert "OPTIONS" not in shown.out
    assert shown.lines[1].split()[:3] == ["2", "0.000", "B"]
    assert "ended: remote, Terminated" in shown.out


def test_call_that_is_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, file, "--call", "Z")
    assert (shown.code, shown.out) == (ExitCode.USAGE, "")
    assert "--call Z: " in shown.err
    assert "no such call; it has A (sip:alice@example.com → sip:bob@example.com), B (" in shown.err


def test_one_message(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, file, "--message", "2")
    assert shown.lines[0].startswith("2: sip:alice@example.com → wss://192.0.2.9/ws")
    assert shown.lines[2] == "INVITE sip:bob@example.com SIP/2.0"
    assert shown.lines[-1] == "a=sendrecv"
    wrong = Shown(capsys, file, "--message", "8")
    assert (wrong.code, wrong.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "--message 8: " in wrong.err
    assert "has 7 messages" in wrong.err


def test_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = Shown(capsys, file, "--json", "--call", "B").events
    names = [event["event"] for event in events]
    assert names == [
        *("traced_message", "traced_event", *["traced_message"] * 5, "traced_event"),
        *(["traced_stats"] * 3),
        "done",
    ]
    assert events[0]["description"] == "offer"
    assert events[0]["message"].startswith("INVITE")
    assert events[-2]["quality"] is None
    (one, _) = Shown(capsys, file, "--json", "--message", "3").events
    assert one["label"] == "180 Ringing"


def test_page_and_packets(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, packets = tmp_path / "x.html", tmp_path / "x.pcap"
    shown = Shown(capsys, file, "--html", page, "--pcap", packets, "--call", "B")
    assert shown.code == ExitCode.OK
    assert shown.lines == [f"written to {page}", f"6 SIP messages written to {packets}"]
    assert "OPTIONS" not in page.read_text().partition('type="application/json">')[2]
    events = Shown(capsys, file, "--html", page, "--json").events
    assert events[0]["event"] == "written"


@pytest.mark.parametrize("option", ["--html", "--pcap"])
def test_file_that_cannot_be_made(
    file: Path, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Shown(capsys, file, option, tmp_path / "none" / "x")
    assert shown.code == ExitCode.USAGE
    assert (
        shown.err
        == f"sipua trace: {option} {tmp_path / 'none' / 'x'}: No such file or directory; check the path\n"
    )


def test_captures_that_cannot_be_put_in(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Shown(capsys, file, "--pcap", tmp_path / "x", "--rtp", tmp_path / "gone")
    assert (gone.code, gone.err) == (
        ExitCode.USAGE,
        f"sipua trace: --rtp {tmp_path / 'gone'}: No such file or directory; check the path\n",
    )
    none = Shown(capsys, file, "--pcap", tmp_path / "x", "--rtp", file)
    assert none.code == ExitCode.USAGE
    assert "not a capture (pcap) file" in none.err
    alone = Shown(capsys, file, "--rtp", file)
    assert alone.code == ExitCode.USAGE
    assert "give --pcap too" in alone.err


def test_an_empty_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    shown = Shown(capsys, path)
    assert (shown.code, shown.out) == (ExitCode.USAGE, "")
    assert "x: is empty: nothing was written to it; --trace FILE makes a trace" in shown.err


@pytest.mark.parametrize("text", [b"hello\n", b"\x00\x01"])
def test_what_is_no_trace(text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_bytes(text)
    shown = Shown(capsys, path)
    assert (shown.code, shown.out) == (ExitCode.USAGE, "")
    assert shown.err == f"sipua trace: {path}: not a trace of sipua; --trace FILE makes one\n"


def test_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(capsys, tmp_path / "x")
    assert (shown.code, shown.err) == (
        ExitCode.USAGE,
        f"sipua trace: {tmp_path / 'x'}: No such file or directory; check the path\n",
    )


def test_newer_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_text('{"kind":"trace","format":"sipua-trace","version":9}\n')
    shown = Shown(capsys, path)
    assert (shown.code, shown.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "use a newer sipua" in shown.err


def test_trace_that_was_cut_is_shown_as_far_as_it_goes(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: data.index(b"BYE sip:alice") + 4])
    shown = Shown(capsys, file)
    assert shown.code == ExitCode.OK
    assert shown.lines[0] == f"{file}: line 11 is not complete: what was written before is shown"
    assert "BYE" not in shown.out
    assert "ACK" in shown.out
