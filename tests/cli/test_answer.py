"""``sipua answer`` against the embedded server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sipua import UA
from sipua.cli.exits import ExitCode
from sipua.media.analysis import detect_tones, load
from sipua.testing import steady
from tests.cli.commands import (
    LOOPBACK,
    Result,
    account,
    check_recording,
    server,
    sipua,
    speech,
    waiting,
)

pytestmark = pytest.mark.realtime


async def test_answer_takes_calls_and_gives_each_a_recording(tmp_path: Path) -> None:
    recording = tmp_path / "in.wav"
    async with server() as s:
        answering = asyncio.ensure_future(
            sipua(
                *("answer", *account(s, "bob"), "--loopback", "--echo", "--count", "2"),
                *("--record", str(recording), "--capture", str(tmp_path / "in.pcap"), "--json"),
            )
        )
        await waiting(s, "bob")
        async with UA("sip:alice@localhost", sockets=s.url, password="secret", media_options=LOOPBACK) as ua:
            for _ in range(2):
                async with ua.call("bob") as call:
                    await call.send_dtmf("5")
                    await asyncio.sleep(0.5)
        done = await answering
    assert done.code == ExitCode.OK, done
    assert [event["path"] for event in done.events if event["event"] == "recorded"] == [
        str(recording),
        str(tmp_path / "in-2.wav"),
    ]
    assert len(load(recording)) > 2000
    captures = [str(tmp_path / name) for name in ("in.pcap", "in-2.pcap")]
    assert [event["path"] for event in done.all("captured")] == captures
    calls = [event for event in done.events if event["event"] == "call"]
    assert [(event["call"], event["direction"]) for event in calls] == [(1, "incoming"), (2, "incoming")]
    assert calls[0]["remote"] == "sip:alice@localhost"
    digits = [event["tone"] for event in done.events if event["event"] == "dtmf"]
    assert digits == ["5", "5"]


async def test_answer_plays_and_hangs_up(tmp_path: Path) -> None:
    short, recording = speech(tmp_path / "short.wav", 1.0), tmp_path / "heard.wav"
    async with server() as s:

        async def calls() -> Result:
            answering = asyncio.ensure_future(
                sipua("answer", *account(s, "bob"), "--loopback", "--play", str(short), "--once")
            )
            await waiting(s, "bob")
            called = await sipua("call", "bob", *account(s), "--loopback", "--record", str(recording))
            answered = await answering
            assert answered.code == ExitCode.OK
            assert "the peer hung up after 00:01" in called.out
            assert "call from sip:alice@localhost" in answered.out
            return called

        await steady(calls, lambda called: check_recording(called, short, recording))


async def test_answer_refuses() -> None:
    async with server() as s:
        answering = asyncio.ensure_future(
            sipua("answer", *account(s, "bob"), "--code", "486", "--reason", "Gone Fishing", "--once")
        )
        await waiting(s, "bob")
        called = await sipua("call", "bob", *account(s))
        answered = await answering
    assert answered.code == ExitCode.OK
    assert called.code == ExitCode.BUSY
    assert "486 Gone Fishing" in called.err
    assert "refused: 486 Gone Fishing\n" in answered.out


async def test_messages_are_taken_and_shown() -> None:
    async with server() as s:
        answering = asyncio.ensure_future(
            sipua("answer", *account(s, "bob"), "--code", "486", "--once", "--json")
        )
        await waiting(s, "bob")
        sent = await sipua("message", "bob", "are you there?", *account(s))
        refused = await sipua("call", "bob", *account(s))
        answered = await answering
    assert (sent.code, refused.code) == (ExitCode.OK, ExitCode.BUSY)
    message = answered.event("message")
    assert (message["remote"], message["body"]) == ("sip:alice@localhost", "are you there?")


async def test_nobody_calls() -> None:
    async with server() as s:
        done = await sipua("answer", *account(s, "bob"), "--timeout", "0.5")
    assert done.code == ExitCode.TIMEOUT
    assert done.err == "sipua answer: no call within 0.5 s\n"


async def test_recording_that_cannot_be_made_is_told_before_anybody_calls() -> None:
    async with server() as s:
        done = await sipua("answer", *account(s, "bob"), "--record", "/dev/full/x.wav", "--once")
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("sipua answer: /dev/full/x.wav: ")


async def test_a_call_that_is_transferred_is_recorded_on_both_sides(tmp_path: Path) -> None:
    """By another command: the caller asks bob to call 605, which gives a tone."""
    recording = tmp_path / "in.wav"
    async with server() as s:
        answering = asyncio.ensure_future(
            sipua(
                *("answer", *account(s, "bob"), "--loopback", "--echo", "--once", "--duration", "1.5"),
                *("--record", str(recording), "--codec", "pcmu", "--json"),
            )
        )
        await waiting(s, "bob")
        called = await sipua(
            *("call", "bob", *account(s), "--loopback", "--tone", "440", "--hold-after", "0.7"),
            *("--hold-for", "0.1", "--transfer", "605"),
        )
        answered = await answering
    assert called.code == answered.code == ExitCode.OK, (called, answered)
    assert "the peer talks to 605" in called.out
    assert [event["path"] for event in answered.all("recorded")] == [
        str(recording),
        str(tmp_path / "in-2.wav"),
    ]
    assert detect_tones(load(recording)[2000:4000], [440, 1004]) == [440]
    assert detect_tones(load(tmp_path / "in-2.wav")[4000:8000], [440, 1004]) == [1004]
