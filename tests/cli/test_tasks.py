"""What a call is asked to do: expectations, hold, transfer, recordings of both sides, a voice."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import threading
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest

from sipua import UA, CallFailed
from sipua.cli.exits import ExitCode
from sipua.cli.tasks import Frequencies, PlainDigits
from sipua.media.analysis import detect_tones
from sipua.testing import steady
from tests.cli.commands import LOOPBACK, Result, account, check_recording, server, sipua

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sipua import RTCSession
    from sipua.server import Server

realtime = pytest.mark.realtime


@contextlib.asynccontextmanager
async def bob(s: Server, take: Callable[[RTCSession], Any], **handlers: Any) -> AsyncIterator[UA]:
    """Bob, who answers, and does in the call what `take` does."""
    tasks = []

    def on_call(event: Any) -> None:
        if event.originator == "remote":
            for name, handler in handlers.items():
                event.session.on(name, handler)
            tasks.append(asyncio.ensure_future(handle(event.session)))

    async def handle(call: RTCSession) -> None:
        with contextlib.suppress(CallFailed):
            call.answer()
            await call.wait_confirmed()
            await take(call)

    ua = UA("sip:bob@localhost", sockets=s.url, password="secret", media_options=LOOPBACK)
    ua.on("new_rtc_session", on_call)
    async with ua:
        yield ua
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def wait_ended(call: RTCSession) -> None:
    await call.wait_ended()


async def call(s: Server, target: str, *args: str) -> Result:
    return await sipua("call", target, *account(s), "--loopback", *args)


# --- options ----------------------------------------------------------------------------------------------------------


def test_frequencies() -> None:
    assert Frequencies().convert("440", None, None) == (440.0,)
    assert Frequencies().convert("350+440.5", None, None) == (350.0, 440.5)
    for wrong in ("", "x", "440+", "20", "4000", "1+2+3+4+5", "300+400+500+600+700"):
        with pytest.raises(click.BadParameter, match="is no tone; it is up to 4 frequencies"):
            Frequencies().convert(wrong, None, None)


def test_digits_without_pauses() -> None:
    assert PlainDigits().convert("5#a", None, None) == "5#A"
    with pytest.raises(click.BadParameter, match="has a comma"):
        PlainDigits().convert("5,6", None, None)


# --- expectations -----------------------------------------------------------------------------------------------------


@realtime
async def test_a_tone_that_comes() -> None:
    async with server() as s:
        done = await call(s, "605", "--expect-tone", "1004", "--json")
    assert done.code == ExitCode.OK, done
    expected = done.event("expected")
    assert (expected["what"], expected["met"]) == ("a tone of 1004 Hz", True)
    assert expected["seconds"] < 5
    assert done.event("ended")["originator"] == "local"


@realtime
async def test_a_tone_that_does_not_come() -> None:
    async with server() as s:
        done = await call(s, "605", "--expect-tone", "440", "--expect-tone", "1004", "--expect-within", "1")
        short = await call(s, "605", "--expect-tone", "440", "--duration", "0.5")
    assert done.code == short.code == ExitCode.FAILED
    assert "heard a tone of 1004 Hz after" in done.out
    assert done.err == (
        "sipua call: sip:605@localhost: expected a tone of 440 Hz; it did not come within 1 s\n"
    )
    assert "it did not come before the end of --duration" in short.err


@realtime
@pytest.mark.parametrize("way", ["RFC4733", "INFO", "INBAND"])
async def test_digits_that_come_by_any_way(way: Any) -> None:
    async def take(call: RTCSession) -> None:
        await call.send_dtmf("159", transport_type=way)

    async with server() as s, bob(s, take):
        done = await call(s, "bob", "--expect-dtmf", "59", "--codec", "pcmu")
    assert done.code == ExitCode.OK, done
    assert "heard the digits 59 after" in done.out


@realtime
async def test_other_digits() -> None:
    async def take(call: RTCSession) -> None:
        await call.send_dtmf("12")
        call.terminate()

    async with server() as s, bob(s, take):
        ended = await call(s, "bob", "--expect-dtmf", "34")
        late = await call(s, "600", "--expect-dtmf", "34", "--dtmf", "1", "--expect-within", "1")
    assert ended.code == late.code == ExitCode.FAILED
    assert "sip:bob@localhost: expected the digits 34; the call ended before that" in ended.err
    assert "expected the digits 34; " in late.err


# --- hold and transfer ------------------------------------------------------------------------------------------------


@realtime
async def test_hold() -> None:
    told: list[str] = []

    def tell(name: str) -> Callable[[Any], None]:
        return lambda event: told.append(f"{name} {event.originator}")

    async with server() as s, bob(s, wait_ended, hold=tell("hold"), unhold=tell("unhold")):
        done = await call(s, "bob", "--hold-after", "0.3", "--hold-for", "0.4", "--duration", "1.3")
    assert done.code == ExitCode.OK, done
    assert told == ["hold remote", "unhold remote"]
    assert done.out.index("the peer is on hold\n") < done.out.index("the peer is off hold\n")


@realtime
async def test_transfer() -> None:
    referred: list[str] = []

    def on_refer(event: Any) -> None:
        referred.append(str(event.refer.uri))
        event.refer.accept()

    async with server() as s, bob(s, wait_ended, refer=on_refer):
        done = await call(s, "bob", "--transfer", "602", "--json")
    assert done.code == ExitCode.OK, done
    assert referred == ["sip:602@localhost"]
    assert [event["state"] for event in done.all("transfer")] == ["asked", "succeeded"]


@realtime
@pytest.mark.parametrize(("target", "code"), [("610", ExitCode.BUSY), ("612", ExitCode.REJECTED)])
async def test_transfer_that_fails(target: str, code: ExitCode) -> None:
    async with server() as s, bob(s, wait_ended, refer=lambda event: event.refer.accept()):
        done = await call(s, "bob", "--transfer", target)
    assert done.code == code, done
    assert re.match(rf"sipua call: transfer to {target}: [A-Z][A-Za-z ]+ \(4\d\d [A-Za-z ]+\)\n$", done.err)
    assert "\n\n" not in done.out
    assert "hung up after" in done.out


# --- sound ------------------------------------------------------------------------------------------------------------


@realtime
async def test_recording_of_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    async with server() as s:
        done = await call(
            s, "605", "--tone", "440", "--record-stereo", str(path), "--duration", "1.5", "--codec", "pcmu"
        )
    assert done.code == ExitCode.OK, done
    assert f"recorded to {path} (1." in done.out
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    peer, ours = (sound[4000:8000, side].astype(float) for side in (0, 1))
    assert detect_tones(peer, [440, 1004]) == [1004]
    assert detect_tones(ours, [440, 1004]) == [440]


@realtime
async def test_recordings_that_cannot_be(tmp_path: Path) -> None:
    path = str(tmp_path / "x.wav")
    async with server() as s:
        same = await call(s, "600", "--record", path, "--record-stereo", path)
        nowhere = await call(s, "600", "--record-stereo", "/nope/x.wav")
    assert same.code == nowhere.code == ExitCode.USAGE
    assert f"--record and --record-stereo: both are {path}; give two files" in same.err
    assert "/nope/x.wav: directory /nope does not exist" in nowhere.err


VOICE = """#!/usr/bin/env python3
import sys, wave, math, struct
text = sys.stdin.read()
assert text == "hello", text
with wave.open(sys.stdout.buffer, "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(t * 0.785398))) for t in range(8000)))
"""


@realtime
async def test_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a synthesiser that can only say a second of 1000 Hz."""
    voice = tmp_path / "espeak-ng"
    voice.write_text(VOICE)
    voice.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    recording = tmp_path / "said.wav"
    async with server() as s:
        done = await call(s, "600", "--say", "hello", "--record", str(recording), "--codec", "pcmu")
        monkeypatch.setattr("shutil.which", lambda name: None)
        missing = await call(s, "600", "--say", "hello")
    assert done.code == ExitCode.OK, done
    assert re.search("hung up after 00:0[12]", done.out)
    with wave.open(str(recording)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert detect_tones(sound[3000:7000].astype(float), [440, 1000]) == [1000]
    assert missing.code == ExitCode.USAGE
    assert missing.err == ("sipua call: --say: no speech synthesiser; install espeak-ng, or play a file\n")


@realtime
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="there is no espeak-ng")
async def test_say_by_the_synthesiser(tmp_path: Path) -> None:
    text, heard = "The quick brown fox jumps over the lazy dog.", tmp_path / "heard.wav"
    said = tmp_path / "said.wav"
    assert await (await asyncio.create_subprocess_exec("espeak-ng", "-w", str(said), text)).wait() == 0
    async with server() as s:
        await steady(
            lambda: call(s, "600", "--say", text, "--record", str(heard)),
            lambda done: check_recording(done, said, heard),
        )


class OneMicrophone:
    """Stands in for sounddevice: one microphone for one at a time, which may be unplugged after half a second."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *, unplugged: bool) -> None:
        self.opened = 0
        self._unplugged = unplugged
        self._in_use = False

    default = SimpleNamespace(device=[0, -1])

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, Any]]:
        channels = {"max_input_channels": 1, "max_output_channels": 0}
        return [{"name": "Headset", "hostapi": 0, "default_samplerate": 48000.0, **channels}]

    def RawInputStream(self, *, finished_callback: Callable[[], None], **options: Any) -> Any:  # noqa: N802
        if self._in_use:
            raise self.PortAudioError("Device unavailable")
        self._in_use = True
        self.opened += 1
        timer = threading.Timer(0.5 if self._unplugged else 60, finished_callback)

        def close(ignore_errors: bool) -> None:
            timer.cancel()
            self._in_use = False

        return SimpleNamespace(start=timer.start, close=close)


@realtime
async def test_a_transferred_call_takes_the_microphone_along(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = OneMicrophone(unplugged=False)
    monkeypatch.setitem(sys.modules, "sounddevice", devices)

    async def send_away(call: RTCSession) -> None:
        async with asyncio.timeout(10):
            while not devices.opened:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        await call.refer("605")

    async with server() as s, bob(s, send_away):
        done = await call(s, "bob", "--mic", "headset", "--expect-tone", "1004")
    assert done.code == ExitCode.OK, done
    assert devices.opened == 2
    assert "media:" not in done.out


@realtime
async def test_microphone_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told once; the call goes on, and has not gone well."""
    monkeypatch.setitem(sys.modules, "sounddevice", OneMicrophone(unplugged=True))
    recording = tmp_path / "kept.wav"
    async with server() as s:
        done = await call(s, "605", "--mic", "headset", "--duration", "1.5", "--record", str(recording))
    assert done.code == ExitCode.FAILED, done
    assert done.err == ""
    assert done.out.count("unplugged") == 1
    assert "media: microphone 'Headset': was unplugged or has stopped; choose another device\n" in done.out
    assert "hung up after 00:01" in done.out
    assert f"recorded to {recording} (1." in done.out


@realtime
async def test_microphone_that_is_not_there() -> None:
    async with server() as s:
        done = await call(s, "600", "--mic", "none such")
        other = await call(s, "600", "--speaker", "99")
    for result in (done, other):
        assert result.code in (ExitCode.USAGE, ExitCode.FAILED)
        assert result.err.count("\n") == 1
        assert "connected" not in result.out
