"""``--script`` and ``--junit``."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from sipua.cli.exits import ExitCode
from tests.cli.commands import account, child, command, line_with, server, sipua, waiting

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.realtime

NOBODY = ("--uri", "sip:alice@localhost", "--server", "ws://127.0.0.1:1/")


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


async def test_a_script_that_passes(tmp_path: Path) -> None:
    script = write(tmp_path / "tone.sipua", "expect tone 1004 within 5s  # 605\ndtmf 1; wait 0.1s\nhangup\n")
    junit = tmp_path / "report.xml"
    async with server() as s:
        done = await sipua(
            "call", "605", *account(s), "--loopback", "--script", script, "--junit", str(junit), "--json"
        )
    assert done.code == ExitCode.OK, done
    assert [(step["line"], step["step"], step["verdict"]) for step in done.all("step")] == [
        (1, "expect tone 1004 within 5s", "passed"),
        (2, "dtmf 1", "passed"),
        (2, "wait 0.1s", "passed"),
        (3, "hangup", "passed"),
    ]
    suites = ElementTree.parse(junit).getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("4", "0")


async def test_a_step_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("expect tone 440 within 0.5s; wait 1s"))
    junit = tmp_path / "report.xml"
    async with server() as s:
        done = await sipua("call", "605", *account(s), "--loopback", "--script", "-", "--junit", str(junit))
    assert done.code == ExitCode.FAILED
    assert done.err.startswith("sipua call: standard input:1: `expect tone 440 within 0.5s`: ")
    assert "failed   expect tone 440 within 0.5s: " in done.out
    assert "skipped  wait 1s\n" in done.out
    assert "hung up after" in done.out
    suites = ElementTree.parse(junit).getroot()
    assert [suites.get(name) for name in ("tests", "failures", "skipped")] == ["2", "1", "1"]


async def test_a_refusal_that_is_expected_or_not(tmp_path: Path) -> None:
    wanted, other = write(tmp_path / "a", "expect refused 486"), write(tmp_path / "b", "wait 1s; hangup")
    junit = tmp_path / "report.xml"
    async with server() as s:
        passed = await sipua("call", "610", *account(s), "--script", wanted)
        failed = await sipua("call", "610", *account(s), "--script", other, "--junit", str(junit))
    assert passed.code == ExitCode.OK, passed
    assert failed.code == ExitCode.BUSY
    assert "sip:610@localhost: Busy (486 Busy Here)" in failed.err
    suites = ElementTree.parse(junit).getroot()
    assert [suites.get(name) for name in ("tests", "failures", "skipped")] == ["2", "1", "1"]


async def test_a_script_that_takes_too_long(tmp_path: Path) -> None:
    script = write(tmp_path / "long", "wait 20s\nhangup")
    junit = tmp_path / "report.xml"
    async with server() as s:
        args = ("call", "600", *account(s), "--loopback", "--script", script, "--junit", str(junit))
        done = await sipua(*args, "--duration", "0.5")
    assert done.code == ExitCode.TIMEOUT
    assert done.err == f"sipua call: {script}: not done within 0.5 s (--duration)\n"
    (suite,) = ElementTree.parse(junit).getroot()
    wait, hangup = suite
    # The time until the end is that of the step that did not come to its own.
    assert 0 < float(wait.get("time", "")) <= float(suite.get("time", ""))
    assert [case.tag for case in (*wait, *hangup)] == ["failure", "skipped"]


async def test_a_script_that_is_interrupted(tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    script = write(tmp_path / "long", "tone 440\nwait 20s\nhangup")
    async with server() as s:
        args = ("call", "600", *account(s), "--loopback", "--script", script, "--junit", str(junit), "--json")
        async with child(*args) as process:
            await line_with(process, '"step": "tone 440"')
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), 15)
            assert process.returncode == ExitCode.INTERRUPTED
    (suite,) = ElementTree.parse(junit).getroot()
    assert [[part.get("message") for part in case] for case in suite] == [
        [],
        ["interrupted"],
        ["a step before it failed"],
    ]


async def test_a_recording_of_a_script_that_finds_the_disk_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    script = write(tmp_path / "script", "record x.wav; wait 1s")
    async with server() as s:
        done = await sipua("call", "605", *account(s), "--loopback", "--script", script)
    assert done.code == ExitCode.FAILED
    assert done.out.count("no space left on device; nothing was recorded") == 1


async def test_both_sides_follow_scripts(tmp_path: Path) -> None:
    ivr = write(tmp_path / "ivr", "ring 0.1s; answer; expect dtmf 12 within 5s; tone 440 for 1s; hangup")
    caller = write(
        tmp_path / "caller", "expect ringing; dtmf 12; expect tone 440 within 5s; expect ended within 5s"
    )
    junit = tmp_path / "ivr.xml"
    # Both in one process would share standard output.
    async with server() as s:
        answering = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua", "answer", *account(s, "bob"), "--loopback", "--once"),
            *("--script", ivr, "--junit", str(junit)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await waiting(s, "bob")
        done = await sipua("call", "bob", *account(s), "--loopback", "--script", caller)
        out, err = await answering.communicate()
    assert done.code == ExitCode.OK, (done, out, err)
    assert answering.returncode == ExitCode.OK, (out, err)
    assert "ok       expect dtmf 12 within 5s" in out.decode()
    assert ElementTree.parse(junit).getroot().get("failures") == "0"


async def test_a_script_that_fails_in_a_call_that_came(tmp_path: Path) -> None:
    ivr = write(tmp_path / "ivr", "answer; expect dtmf 12 within 0.3s")
    async with server() as s:
        answering = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "sipua",
                "answer",
                *account(s, "bob"),
                "--loopback",
                "--once",
                "--script",
                ivr,
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await waiting(s, "bob")
        done = await sipua("call", "bob", *account(s), "--loopback")
        _, err = await answering.communicate()
    assert done.code == ExitCode.OK
    assert "the peer hung up" in done.out
    assert answering.returncode == ExitCode.FAILED
    assert f"{ivr}:1: `expect dtmf 12 within 0.3s`: " in err.decode()


@pytest.mark.parametrize(
    ("text", "args", "complaint"),
    [
        ("wiat 3s", (), "SCRIPT:1:1: no step 'wiat'; did you mean wait?"),
        ("\nplay nowhere.wav", (), "SCRIPT:2:1: "),
        ("answer", (), "SCRIPT:1:1: `answer` is for calls that come in; leave it out"),
        ("", (), "there is no step in it; the shortest script is: hangup"),
        ("hangup", ("--play", "x.wav"), "--play: does not go with --script, which has steps for it"),
        ("hangup", ("--expect-dtmf", "1"), "--expect-dtmf: does not go with --script"),
        ("hangup", ("--junit", "/nope/x.xml"), "--junit /nope/x.xml: there is no such directory"),
        ("hangup", ("--junit", "-"), "--junit -: standard output has the steps; name a file"),
    ],
)
def test_wrong_scripts(text: str, args: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    path = write(tmp_path / "script", text)
    done = command("call", "600", *NOBODY, "--script", path, *args)
    assert done.code == ExitCode.USAGE, done
    assert complaint.replace("SCRIPT", path) in done.err
    assert done.err.startswith("sipua call: ")
    assert done.err.count("\n") == 1


def test_options_that_need_a_script(tmp_path: Path) -> None:
    assert "--junit: goes with --script" in command("call", "600", *NOBODY, "--junit", "x.xml").err
    path = write(tmp_path / "script", "hangup")
    both = command("answer", *NOBODY, "--script", path, "--code", "486")
    assert "--code: does not go with --script, which has the step refuse" in both.err
