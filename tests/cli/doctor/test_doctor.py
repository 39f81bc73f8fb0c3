"""``sipua doctor`` as a whole: nothing wrong, lines for people, bad input, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import pytest

from sipua.cli.exits import ExitCode
from sipua.testing import steady
from tests.cli.commands import account, child, line_with, server, sipua
from tests.cli.doctor.examining import WHO, check, doctor
from tests.cli.doctor.relay import PASSWORD, USER, relay

pytestmark = pytest.mark.realtime


async def test_all_is_well() -> None:
    async def measure() -> None:
        async with server() as s, relay() as (_, where):
            servers = ("--ice-server", f"stun:{where}", "--ice-server", f"turn:{where}")
            done = await doctor(
                *account(s), *servers, "--ice-user", USER, "--ice-password", PASSWORD, "--call", "600"
            )
            assert s.registrations() == {}
        assert [(event["check"], event["state"]) for event in done.all("check")] == [
            ("name", "ok"),
            ("TCP", "ok"),
            ("WebSocket", "ok"),
            ("register", "ok"),
            ("STUN", "ok"),
            ("TURN", "ok"),
            ("candidates", "ok"),
            ("call", "ok"),
        ]
        assert check(done, "candidates")["detail"] == "1 own, 1 by STUN, 1 by TURN"
        assert check(done, "call")["detail"].startswith("the echo is there: opus/48000, ")
        assert all(event["seconds"] is not None for event in done.all("check"))
        assert done.code == ExitCode.OK
        assert done.event("diagnosis")["failed"] == 0

    await steady(measure)


async def test_for_people() -> None:
    async with server() as s:
        done = await sipua("doctor", "--loopback", *account(s, password="wrong"))
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["✓", "name"],
        ["✓", "TCP"],
        ["✓", "WebSocket"],
        ["✗", "register"],
    ]
    assert lines[4].lstrip().startswith("→ check --uri and the password")
    assert lines[5].startswith("! candidates")
    assert lines[-1] == "1 thing is wrong; begin with the first one"
    assert (done.code, done.err) == (ExitCode.UNAUTHORISED, "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--uri", "nonsense"), "--uri nonsense: "),
        (("--server", "http://localhost/"), "--server http://localhost/: not a WebSocket URL"),
        (("--server", "ws://localhost:0/"), "--server ws://localhost:0/: port 0"),
        (("--timeout", "0"), "'--timeout': '0' is not a time"),
        (("--timeout", "soon"), "'--timeout': 'soon' is not a time"),
        (("--call", ""), "''"),
        (("--call", "sip:a b"), "'sip:a b'"),
        (("--ice-server", "foo"), "--ice-server foo: no URL of a STUN or TURN server"),
        (("--ice-server", "stun:x?transport=tcp"), "--ice-server stun:x?transport=tcp: no URL of"),
        (("--ice-server", "turn:x:70000"), "--ice-server turn:x:70000: ports go from 1 to 65535"),
        (("--ca-file", "/nonexistent"), "--ca-file /nonexistent: cannot be read"),
        (("--loud",), "No such option"),
        (("extra",), "unexpected extra argument"),
    ],
)
async def test_bad_input_is_told_in_one_line_before_anything_is_done(
    args: tuple[str, ...], said: str
) -> None:
    done = await sipua("doctor", "--server", "ws://localhost/", *WHO, *args)
    assert done.code == ExitCode.USAGE
    assert said in done.err
    assert done.err.startswith("sipua doctor: ")
    assert done.err.count("\n") == 1
    assert done.out == ""


async def test_ctrl_c() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as listening:
        url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        args = (
            "doctor",
            *WHO,
            "--server",
            url,
            "--ice-server",
            "stun:127.0.0.1:9",
            "--timeout",
            "60",
            "--json",
        )
        async with child(*args) as process:
            await line_with(process, '"TCP"')
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(10):
                out, err = await process.communicate()
            assert process.returncode == ExitCode.INTERRUPTED
            assert b'"interrupted"' in out
            assert b'"exit_code": 130' in out
            assert err == b""
