"""The examples, run as a reader would run them, against the embedded server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sipua import UA
from sipua.media.analysis import correlate, load
from sipua.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime

ROOT = Path(__file__).parents[1]
SPEECH = ROOT / "examples" / "audio" / "speech.wav"
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}


def server() -> Server:
    return Server({"alice": "secret", "bob": "secret"}, media_options=LOOPBACK)


@contextlib.asynccontextmanager
async def example(name: str, *args: str, cwd: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"examples.{name}", *args),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def run(name: str, *args: str, cwd: Path) -> tuple[int | None, str]:
    async with example(name, *args, cwd=cwd) as process:
        out, _ = await process.communicate()
        return process.returncode, out.decode()


async def test_events(tmp_path: Path) -> None:
    async with server() as s:
        code, out = await run("events", s.url, cwd=tmp_path)
    assert code == 0, out
    assert "180 Ringing" in out
    assert "ended by local: Terminated" in out


async def test_events_of_a_refused_call(tmp_path: Path) -> None:
    async with server() as s:
        code, out = await run("events", s.url, "610", cwd=tmp_path)
    assert code == 0, out
    assert "failed: Busy" in out


async def test_awaitable(tmp_path: Path) -> None:
    async with server() as s:
        code, out = await run("awaitable", s.url, cwd=tmp_path)
    assert code == 0, out
    assert re.match(r"opus/48000: [23]\d\d packets sent, [23]\d\d received\n", out)
    assert correlate(SPEECH, tmp_path / "awaitable.wav").correlation > 0.9


async def test_awaitable_with_busy_and_missing_targets(tmp_path: Path) -> None:
    async with server() as s:
        busy, missing = await asyncio.gather(
            run("awaitable", s.url, "610", cwd=tmp_path), run("awaitable", s.url, "612", cwd=tmp_path)
        )
    assert busy == (0, "610 is busy\n")
    assert missing == (0, "612: Not Found (404 Not Found) (status 404)\n")


async def test_voicebot_says_back_what_it_heard_and_can_be_interrupted(tmp_path: Path) -> None:
    sentence = load(SPEECH, 16000)[: 16000 * 2]
    pcm = (sentence * 32767).astype("<i2").tobytes()
    heard = tmp_path / "heard.wav"
    async with server() as s, example("voicebot", s.url, cwd=tmp_path) as bot:
        assert bot.stdout is not None
        assert await bot.stdout.readline() == b"waiting for calls\n"
        ua = UA("sip:bob@localhost", sockets=s.url, password="secret", media_options=LOOPBACK)
        async with ua, ua.call("alice", record=heard) as call:
            await call.audio.write(pcm)
            await call.audio.drain()
            await asyncio.sleep(3.5)  # the bot's turn
            await call.audio.write(pcm)
            await call.audio.drain()
            await asyncio.sleep(1.0)  # it has begun to speak
            await call.audio.write(pcm[:16000])
            await call.audio.drain()
            await asyncio.sleep(0.3)
        bot.send_signal(signal.SIGINT)
        out = (await bot.communicate())[0].decode()
    assert out.startswith("sip:bob@localhost calls\nheard 2.")
    assert "interrupted with " in out
    assert out.endswith("call over\nbye\n")
    match = correlate(sentence[::2], load(heard), rate=8000)
    assert match.correlation > 0.8
    assert match.delay > 2.0


async def test_demo(tmp_path: Path) -> None:
    code, out = await run("demo", cwd=tmp_path)
    assert code == 0, out
    assert "registered alice with digest authentication\nregistered bob with digest authentication\n" in out
    assert "answered, opus/48000" in out
    found = re.search(r"what came back is what was played: correlation (\d\.\d+) .*, delay (\d+) ms", out)
    assert found is not None, out
    assert float(found[1]) >= 0.9
    assert 0 < int(found[2]) < 2000
    assert "── INVITE sip:600@localhost ──" in out
    assert "BYE" in out
    assert correlate(SPEECH, tmp_path / "demo-call.wav").correlation >= 0.9


@pytest.mark.parametrize("kind", ["missing", "text", "silent", "directory"])
async def test_demo_with_a_bad_file(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.wav"
    if kind == "text":
        file.write_text("not sound\n" * 100)
    elif kind == "silent":
        with wave.open(str(file), "wb") as silent:
            silent.setparams((1, 2, 8000, 0, "NONE", ""))
            silent.writeframes(bytes(16000))
    elif kind == "directory":
        file.mkdir()
    code, out = await run("demo", str(file), cwd=tmp_path)
    assert code == 2
    assert out.startswith(f"demo: {file}")
    assert out.count("\n") == 1
    assert not (tmp_path / "demo-call.wav").exists()


async def test_demo_that_is_ended_takes_its_server_with_it(tmp_path: Path) -> None:
    async with example("demo", cwd=tmp_path) as process:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        port = int(first.rstrip("/\n").rsplit(":", 1)[1])
        await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        await process.wait()
        assert process.returncode == 130
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
