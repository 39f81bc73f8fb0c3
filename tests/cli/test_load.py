"""``sipua load``."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
from typing import TYPE_CHECKING

import pytest

from sipua.cli.exits import ExitCode
from sipua.cli.loading import live_lines
from sipua.errors import ConnectTimeout
from sipua.load import Figures, Generator, Plan, Slope
from sipua.media.interface import IceServer
from sipua.trace import read_trace
from tests.cli.commands import account, child, command, server, sipua
from tests.cli.doctor.relay import USER, relay

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = ("--uri", "sip:alice@localhost", "--server", "ws://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], "how many calls? Give --rate 10, --ramp 10:30s,20:30s or --limit 50"),
        (["--rate", "1", "--ramp", "1:1s"], "--rate and --ramp: give one of them"),
        (["--ramp", "10"], "--ramp 10: no step; it looks like 10:30s"),
        (["--rate", "0"], "'--rate': '0' is no rate; it is more than 0 and at most 10000 calls/s"),
        (["--rate", "nan"], "'--rate': 'nan' is no rate"),
        (["--ramp", "1:5s,99999:5s"], "--ramp 99999:5s: more than 10000 calls/s; give less"),
        (["--limit", "0"], "'--limit': 0 is not in the range"),
        (["--rate", "1", "--fail-if", "mos.p5<3.5"], "is about the audio, and there is none without --media"),
        (["--limit", "1", "--processes", "2"], "--processes: more than --limit"),
        (["--rate", "1", "--fail-if", "p99"], "--fail-if p99: not a threshold; it looks like p99>500ms"),
        (["--rate", "1", "--report", "x.txt"], "--report x.txt: reports are .html or .json"),
        (["--rate", "1", "--report", "/nope/x.html"], "--report /nope/x.html: there is no such directory"),
        (["--rate", "1", "--trace", "/nope/t", "--processes", "2"], "--trace: goes with one process"),
        (["--rate", "1", "--script", "/nope"], "/nope:1:1: No such file or directory; check the path"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], expected: str) -> None:
    done = command("load", "600", *NOBODY, *args)
    assert done.code == ExitCode.USAGE
    assert done.out == ""
    assert expected in done.err
    assert done.err.count("\n") == 1


def test_sounds_need_media(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("wait 1\nexpect tone 440\n")
    done = command("load", "600", *NOBODY, "--rate", "1", "--script", str(path))
    assert done.code == ExitCode.USAGE
    assert "s:2:1: `expect tone 440` needs sound" in done.err


def test_dead_server() -> None:
    done = command("load", "600", *NOBODY, "--rate", "1", "--duration", "1")
    assert done.code == ExitCode.FAILED
    assert "connection refused" in done.err
    two = command("load", "600", *NOBODY, "--rate", "2", "--duration", "1", "--processes", "2")
    assert two.code == ExitCode.FAILED
    assert two.err == done.err


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectTimeout("ws://x/", "no answer within 10 s"), "ws://x/: no answer within 10 s"),
        (TimeoutError(), "ws://127.0.0.1:1/: not ready in time"),
    ],
)
def test_a_server_that_says_nothing(error: Exception, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(self: Generator) -> None:
        raise error

    monkeypatch.setattr(Generator, "start", start)
    done = command("load", "600", *NOBODY, "--rate", "1")
    assert done.code == ExitCode.TIMEOUT
    assert done.err == f"sipua load: {expected}\n"


@pytest.mark.realtime
async def test_reports_and_thresholds(tmp_path: Path) -> None:
    page, figures = tmp_path / "r.html", tmp_path / "r.json"
    async with server() as s:
        args = (
            "load",
            "600",
            "610",
            *account(s),
            "--rate",
            "20",
            "--duration",
            "1",
            "--talk",
            "0.2",
            "--json",
        )
        done = await sipua(
            *args,
            "--report",
            str(page),
            "--report",
            str(figures),
            "--fail-if",
            "failed>10%",
            "--fail-if",
            "p99>20s",
        )
    assert done.code == ExitCode.FAILED
    result = done.event("load_result")
    assert (result["started"], result["answered"], result["failed"]) == (20, 10, 10)
    assert result["broken"] == ["failed>10%"]
    assert result["causes"] == {"486 Busy Here": 10}
    assert result["reports"] == [str(page), str(figures)]
    assert done.all("load")
    assert "<svg" in page.read_text()
    assert json.loads(figures.read_text())["calls"]["started"] == 20
    assert "secret" not in page.read_text() + figures.read_text()


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "r.html").mkdir()
    done = command("load", "600", *NOBODY, "--rate", "1", "--report", str(tmp_path / "r.html"))
    assert done.code == ExitCode.USAGE
    assert "r.html: cannot be written there; give another place" in done.err


@pytest.mark.realtime
async def test_a_report_that_is_not_written_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    async with server() as s:
        args = ("load", "600", *account(s), "--rate", "5", "--calls", "1", "--talk", "0.1")
        done = await sipua(*args, "--report", str(tmp_path / "r.html"))
    assert done.code == ExitCode.FAILED
    assert "r.html: No space left on device" in done.err + done.out


@pytest.mark.realtime
async def test_a_call_that_fails_is_a_failure_unless_something_else_is_said() -> None:
    async with server() as s:
        args = ("load", "600", "610", *account(s), "--rate", "10", "--calls", "2", "--talk", "0.1")
        done = await sipua(*args)
        assert done.code == ExitCode.FAILED
        assert "fail if failed>0: NOT KEPT (1)" in done.out
        assert (await sipua(*args, "--fail-if", "failed>60%")).code == ExitCode.OK


@pytest.mark.realtime
async def test_a_wrong_password_is_named_with_its_remedy() -> None:
    async with server() as s:
        done = await sipua(*("load", "600", *account(s, password="wrong"), "--rate", "10", "--calls", "2"))
    assert done.code == ExitCode.FAILED
    assert "2 × 407 Proxy Authentication Required: wrong user name or password: check --uri" in done.out


@pytest.mark.realtime
async def test_a_server_that_dies_is_told_once() -> None:
    async with server() as s:
        args = (
            "load",
            "600",
            *account(s),
            "--rate",
            "10",
            "--duration",
            "3",
            "--timeout",
            "1",
            "--talk",
            "0.1",
        )
        run = asyncio.ensure_future(sipua(*args, "--json"))
        async with asyncio.timeout(10):
            while s.counts()["connections"] < 2:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.7)
        await s.stop()
        done = await run
    assert done.code == ExitCode.FAILED
    assert [w["message"] for w in done.all("warning")] == [
        "the connection to the server was lost; calls fail until it is back"
    ]
    result = done.event("load_result")
    assert result["causes"]["Connection Error"] > 0
    assert result["notes"] == ["a connection to the server was lost"]


@pytest.mark.realtime
async def test_its_calls_are_traced(tmp_path: Path) -> None:
    path = tmp_path / "load.trace"
    async with server() as s:
        args = ("load", "600", *account(s), "--rate", "10", "--calls", "2", "--talk", "0.1")
        done = await sipua(*args, "--trace", str(path))
    assert done.code == ExitCode.OK
    invites = [m for m in read_trace(path).messages if m.message.startswith("INVITE ")]
    assert len({m.message.partition("Call-ID: ")[2].partition("\r")[0] for m in invites}) == 2


@pytest.mark.realtime
async def test_for_people() -> None:
    async with server() as s:
        done = await sipua("load", "600", *account(s), "--limit", "2", "--calls", "4", "--talk", "0.1")
    assert done.code == ExitCode.OK
    assert "calls 4  now 0  answered 4  failed 0 (0.0 %)  at once at most 2\nset-up p50 " in done.out


@pytest.mark.realtime
async def test_a_step_that_fails_is_named_by_its_line(tmp_path: Path) -> None:
    script = tmp_path / "busy.txt"
    script.write_text("# nobody is there\n\nexpect refused 404 within 2s; hangup\n")
    page = tmp_path / "r.html"
    async with server() as s:
        args = ("load", "610", *account(s), "--rate", "10", "--calls", "2", "--script", str(script), "--json")
        done = await sipua(*args, "--report", str(page))
    assert done.code == ExitCode.FAILED
    (cause,) = done.event("load_result")["causes"]
    assert cause == "line 3: expect refused 404 within 2s: the call is over: Busy (486 Busy Here)"
    assert "# nobody is there" in page.read_text()


@pytest.mark.realtime
async def test_real_audio_by_a_script(tmp_path: Path) -> None:
    script = tmp_path / "tone.txt"
    script.write_text("expect tone 1004 within 5s\nexpect codec pcmu\n")
    async with server() as s:
        done = await sipua(
            *("load", "605", *account(s), "--rate", "3", "--duration", "1", "--media", "--loopback"),
            *("--codec", "pcmu", "--script", str(script), "--fail-if", "failed>0", "--json"),
        )
    assert done.code == ExitCode.OK, done
    assert done.event("load_result")["passed"] == 3


@pytest.mark.realtime
@pytest.mark.parametrize("processes", ["1", "2"])
async def test_ctrl_c_drains(processes: str, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    async with server() as s:
        args = (
            "load",
            "600",
            *account(s),
            "--rate",
            "5",
            "--duration",
            "5m",
            "--talk",
            "1",
            "--report",
            str(report),
        )
        async with child(*args, "--processes", processes, "--json") as process:
            assert process.stdout is not None
            async for line in process.stdout:
                if b'"load"' in line and json.loads(line)["started"] > 3:
                    break
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), 15)
            assert process.returncode == ExitCode.INTERRUPTED
    found = json.loads(report.read_text())
    assert found["calls"]["passed"] == found["calls"]["started"] > 3
    assert found["notes"] == ["broken off before its end"]


def test_live_lines() -> None:
    figures = Figures()
    plan = Plan("sip:a@b", {}, ("600",), slopes=(Slope(10, 10, 60.0),))
    assert live_lines(plan, figures, 0.0, draining=False)[0].startswith("calling  ───")
    figures.call_started(1)
    figures.call_answered(1, 0.1)
    figures.call_over(2, "486 Busy Here", 1.0, None)
    lines = live_lines(plan, figures, 30.0, draining=False)
    assert lines[0] == f"calling  {'━' * 15}{'─' * 15}  50 %  00:30 of 01:00"
    assert lines[1] == "calls 1  now 0  answered 1  failed 1 (100.0 %)"
    assert lines[2] == "set-up p50 100 ms  p90 100 ms  p99 100 ms"
    assert lines[3] == "failures: 1 486 Busy Here"
    assert live_lines(plan, figures, 61.0, draining=False)[0].startswith("ending")
    for_ever = Plan("sip:a@b", {}, ("600",), limit=3)
    assert live_lines(for_ever, figures, 5.0, draining=False)[0] == "calling  00:05"


def test_relays_and_their_credentials_get_to_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []

    class Stopped(Exception):
        pass

    def generator(plan: Plan) -> Generator:
        plans.append(Plan.of_dict(json.loads(json.dumps(plan.as_dict()))))
        raise Stopped

    monkeypatch.setattr("sipua.load.Generator", generator)
    args = ("--ice-server", "turn:relay.example.com", "--ice-server", "stun:example.com", "--ice-user", "u")
    command("load", "600", *NOBODY, "--rate", "1", "--media", *args, "--ice-password", "p")
    assert len(plans) == 1
    monkeypatch.undo()
    made = Generator(plans[0])
    servers = made._agents[0].configuration.media_options["ice_servers"]
    assert IceServer("turn:relay.example.com", "u", "p") in servers
    assert "stun:example.com" in servers


@pytest.mark.realtime
async def test_an_ice_server_of_no_use_is_told_once_by_all_processes() -> None:
    async with server() as s, relay() as (_, where):
        ice = ("--ice-server", f"turn:{where}", "--ice-user", USER, "--ice-password", "wrong")
        calls = ("--rate", "10", "--calls", "4", "--talk", "0.5", "--processes", "2", "--media", "--loopback")
        done = await sipua("load", "600", *account(s), *ice, *calls, "--json")
    assert [warning["message"] for warning in done.all("warning")] == [
        f"the ICE server turn:{where} is of no use: it does not take user name and password (401 Unauthorized); "
        "sipua doctor examines it"
    ]
