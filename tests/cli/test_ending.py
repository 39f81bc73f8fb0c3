"""How commands end: signals, readers that go away; and what a terminal shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest

from sipua import UA, events
from sipua.bodies import Presence, PresenceTuple
from sipua.cli.exits import ExitCode
from sipua.media.analysis import load
from sipua.server import Server
from tests.cli.commands import (
    account,
    child,
    line_with,
    server,
)

pytestmark = pytest.mark.realtime


async def test_signal_hangs_up(tmp_path: Path) -> None:
    async def interrupted(s: Server, number: signal.Signals) -> None:
        recording = tmp_path / f"{number.name}.wav"
        async with child("call", "602", *account(s), "--loopback", "--record", str(recording)) as process:
            await line_with(process, "answered")
            await asyncio.sleep(0.5)
            process.send_signal(number)
            rest = (await line_with(process, "hung up"), await line_with(process, "recorded"))
            assert await process.wait() == ExitCode.INTERRUPTED
        assert "hung up after 00:00" in rest[0]
        assert len(load(recording)) > 1600

    async with server() as s:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        await asyncio.gather(*(interrupted(s, number) for number in numbers))


async def test_signal_while_it_rings_cancels_the_call() -> None:
    async with server() as s, child("call", "608", *account(s), "--json") as process:
        await line_with(process, '"progress"')
        process.send_signal(signal.SIGINT)
        failed = json.loads(await line_with(process, '"failed"'))
        assert failed["cause"] == "Canceled"
        assert await process.wait() == ExitCode.INTERRUPTED


async def test_second_signal_ends_at_once_and_keeps_the_recording(tmp_path: Path) -> None:
    recording = tmp_path / "kept.wav"
    async with (
        child("serve", "--account", "alice:secret", "--port", "0", "--loopback", "--json") as serving,
    ):
        (url,) = json.loads(await line_with(serving, "listening"))["urls"]
        args = ("--uri", "sip:alice@localhost", "--password", "secret", "--server", url)
        async with child("call", "605", *args, "--loopback", "--record", str(recording)) as process:
            await line_with(process, "answered")
            await asyncio.sleep(0.6)
            serving.send_signal(signal.SIGSTOP)  # it will not say goodbye
            try:
                process.send_signal(signal.SIGINT)
                await line_with(process, "once more ends at once")
                process.send_signal(signal.SIGINT)
                async with asyncio.timeout(1):
                    assert await process.wait() == ExitCode.INTERRUPTED
            finally:
                serving.send_signal(signal.SIGCONT)
    assert len(load(recording)) > 1600


async def test_signal_ends_a_subscription_as_it_should() -> None:
    ended: list[str] = []

    def told(event: events.NewSubscribe) -> None:
        notifier = ua.notify(
            event.subscribe, body=Presence("sip:bob@localhost", (PresenceTuple("t", "open"),))
        )
        notifier.on("terminated", lambda event: ended.append(event.originator))

    async with server() as s, UA("sip:bob@localhost", sockets=s.url, password="secret") as ua:
        ua.on("new_subscribe", told)
        async with child("subscribe", "presence", "bob", *account(s)) as process:
            await line_with(process, "sip:bob@localhost is open")
            process.send_signal(signal.SIGINT)
            assert await process.wait() == ExitCode.INTERRUPTED
    assert ended == ["remote"]


async def test_signal_while_pinging_sums_up() -> None:
    async with server() as s:
        args = ("options", *account(s), "--duration", "1h", "--interval", "0.05")
        async with child(*args) as process:
            await line_with(process, "200 OK")
            process.send_signal(signal.SIGINT)
            assert "0 % lost; min/avg/max/dev " in await line_with(process, " sent, ")
            assert await process.wait() == ExitCode.INTERRUPTED


async def test_reader_that_has_seen_enough() -> None:
    async with server() as s:
        read, write = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua", "call", "602", *account(s), "--loopback"),
            stdout=write,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(write)
        os.close(read)
        _, err = await process.communicate()
        assert process.returncode == ExitCode.FAILED
        assert err == b""


def read_all(fd: int) -> str:
    parts = []
    with contextlib.suppress(OSError):  # EIO: the other side has closed
        while part := os.read(fd, 4096):
            parts.append(part)
    return b"".join(parts).decode()


async def on_a_terminal(*args: str, **environment: str) -> str:
    """What somebody with a colour terminal sees of the command."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipua", *args),
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    )
    os.close(theirs)
    text = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == ExitCode.OK
    os.close(ours)
    return text


async def test_live_line_on_a_terminal() -> None:
    async with server() as s:
        args = ("call", "600", *account(s), "--loopback", "--duration", "1.2")
        texts = await asyncio.gather(on_a_terminal(*args), on_a_terminal(*args, NO_COLOR="1"))
    for text, colour in zip(texts, (True, False), strict=True):
        assert re.search(r"connected  00:0[01]  opus/48000  sent [1-9]", text)
        assert "\x1b[2K" in text, "the line is renewed"
        assert ("\x1b[32m" in text) is colour
        end = r"  lost 0  jitter \d+ ms(  round trip \d+ ms)?  MOS 4\.\d" + (r"\x1b\[0m" if colour else "")
        assert re.search(end + r"\s*\Z", text), text


async def test_server_that_dies_is_told_once_and_what_was_recorded_is_kept(tmp_path: Path) -> None:
    recording = tmp_path / "kept.wav"
    async with child(
        "serve", *("--account", "alice:secret", "--port", "0", "--loopback", "--json")
    ) as serving:
        (url,) = json.loads(await line_with(serving, "listening"))["urls"]
        args = ("--uri", "sip:alice@localhost", "--password", "secret", "--server", url)
        async with child(
            "call", "605", *args, "--loopback", "--record", str(recording), "--duration", "5"
        ) as process:
            await line_with(process, "answered")
            await asyncio.sleep(0.6)
            serving.kill()
            out, err = await process.communicate()
    assert err == b""
    assert out.decode().count("no connection: ") == 1
    assert "hung up after 00:05" in out.decode()
    assert len(load(recording)) > 4000
