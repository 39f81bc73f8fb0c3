"""``sipua call`` against the embedded server."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from websockets import Subprotocol
from websockets.asyncio.server import serve as websocket_server

from sipua.cli.exits import ExitCode
from sipua.media.analysis import detect_tones, load
from sipua.testing import steady
from sipua.trace import read_trace
from tests.cli.commands import (
    SPEECH,
    account,
    check_recording,
    server,
    sipua,
    speech,
)
from tests.cli.doctor.relay import USER, relay

pytestmark = pytest.mark.realtime


async def test_call_plays_records_and_hangs_up(tmp_path: Path) -> None:
    played, recording, trace = (
        speech(tmp_path / "two.wav", 2.0),
        tmp_path / "echo.wav",
        tmp_path / "trace.jsonl",
    )
    async with server() as s:
        done = await steady(
            lambda: sipua(
                *("call", "600", *account(s), "--loopback", "--play", str(played)),
                *("--record", str(recording), "--trace", str(trace), "--header", "X-Case: 42"),
            ),
            lambda done: check_recording(done, played, recording),
        )
        url = s.url
    lines = done.out.splitlines()
    assert lines[:3] == [f"connected to {url}", "calling sip:600@localhost", "180 Ringing"]
    assert lines[3] == "answered, opus/48000"
    assert lines[4].startswith("hung up after 00:02; opus/48000  sent ")
    assert "lost 0" in lines[4]
    assert lines[5].startswith(f"recorded to {recording} (2.")
    assert "INVITE sip:600@localhost" in done.out
    assert "with credentials, SDP" in done.out
    messages = read_trace(trace).messages
    assert "X-Case: 42" in messages[0].message
    assert messages[-1].message.startswith("SIP/2.0 200")
    assert "response=" not in trace.read_text()


async def test_call_with_a_duration_a_tone_and_a_codec(tmp_path: Path) -> None:
    recording = tmp_path / "tone.ogg"
    async with server() as s:
        done = await sipua(
            *("call", "600", *account(s), "--loopback", "--tone", "440", "--record", str(recording)),
            *("--duration", "1.5", "--codec", "pcmu", "--json", "--register"),
        )
    assert done.code == ExitCode.OK, done
    assert [event["event"] for event in done.events][:4] == ["connecting", "connected", "registered", "call"]
    assert done.event("confirmed")["codec"] == "PCMU/8000"
    ended = done.event("ended")
    assert 1.4 < ended["seconds"] < 2.5
    assert ended["packets_sent"] > 50
    assert ended["packets_lost"] == 0
    assert ended["originator"] == "local"
    assert [event for event in done.events if event["event"] == "stats"]
    assert done.event("recorded")["path"] == str(recording)
    assert detect_tones(load(recording)[4000:], [350, 440, 1004]) == [440]


@pytest.mark.parametrize(
    ("target", "code", "line"),
    [
        ("610", ExitCode.BUSY, "sip:610@localhost: Busy (486 Busy Here)"),
        ("611", ExitCode.REJECTED, "sip:611@localhost: Rejected (603 Decline)"),
        ("612", ExitCode.REJECTED, "sip:612@localhost: Not Found (404 Not Found); check the target"),
        ("613", ExitCode.REJECTED, "sip:613@localhost: Unavailable (480 Temporarily Unavailable)"),
        ("nobody", ExitCode.REJECTED, "sip:nobody@localhost: Not Found (404 Not Found); check the target"),
    ],
)
async def test_refused_calls(target: str, code: ExitCode, line: str, tmp_path: Path) -> None:
    recording = tmp_path / "of yesterday.wav"
    recording.write_bytes(b"precious")
    async with server() as s:
        done = await sipua("call", target, *account(s), "--record", str(recording))
    assert done.code == code
    assert done.err == f"sipua call: {line}\n"
    assert "recorded" not in done.out
    assert recording.read_bytes() == b"precious"


async def test_nobody_answers() -> None:
    async with server() as s:
        done = await sipua("call", "608", *account(s), "--timeout", "1")
    assert done.code == ExitCode.TIMEOUT
    assert done.err == (
        "sipua call: sip:608@localhost: No Answer; try again later, or wait longer with --timeout\n"
    )


async def test_peer_hangs_up() -> None:
    async with server() as s:
        done = await sipua("call", "609", *account(s), "--loopback")
    assert done.code == ExitCode.OK
    assert "the peer hung up after 00:0" in done.out


async def test_the_file_that_is_played_is_not_recorded_to(tmp_path: Path) -> None:
    same = tmp_path / "same.wav"
    shutil.copy(SPEECH, same)
    async with server() as s:
        done = await sipua("call", "600", *account(s), "--play", str(same), "--record", str(same))
    assert done == (
        ExitCode.USAGE,
        "",
        f"sipua call: {same}: is the file that is played; record to another one\n",
    )
    assert same.read_bytes() == SPEECH.read_bytes()


@pytest.mark.parametrize("seconds", [0, 1])
async def test_disk_that_is_full(seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the beginning, or when something has been written: told once, the call goes on, and it has failed."""
    recording = tmp_path / "call.wav"
    write = os.pwrite

    def full(file: int, data: bytes, offset: int) -> int:
        room = 80 + 96_000 * seconds - offset
        if room <= 0 or seconds == 0:
            raise OSError(28, "No space left on device")
        return write(file, data[:room], offset)

    monkeypatch.setattr("os.pwrite", full)
    if seconds == 0:
        recording.symlink_to("/dev/full")
    args = ("--loopback", "--tone", "440", "--record", str(recording), "--duration", "1.4")
    async with server() as s:
        done = await sipua("call", "600", *account(s), *args, "--codec", "opus")
    assert done.code == ExitCode.FAILED
    kept = "the first 1.0 s are kept" if seconds else "nothing was recorded"
    line = f"media: {recording}: recording stopped: no space left on device; {kept}\n"
    assert (done.out + done.err).count(str(recording)) == 1
    assert line in done.out
    assert "hung up after 00:01" in done.out
    assert "recorded to" not in done.out
    if seconds:
        assert load(recording).size == pytest.approx(8000, abs=100)


async def test_every_message_is_logged_with_vv() -> None:
    async with server() as s:
        done = await sipua("register", *account(s), "-vv")
        once = await sipua("register", *account(s), "-v")
    assert done.code == ExitCode.OK
    for first_line in ("REGISTER sip:localhost SIP/2.0", "SIP/2.0 401 ", "SIP/2.0 200 OK"):
        assert f"\n{first_line}" in done.err
        assert first_line not in once.err
    assert "Authorization: Digest [redacted]" in done.err
    assert "response=" not in done.err


async def test_server_that_says_nothing_to_an_invite_is_not_waited_for() -> None:
    async with websocket_server(
        lambda connection: connection.wait_closed(), "127.0.0.1", 0, subprotocols=[Subprotocol("sip")]
    ) as mute:
        port = next(iter(mute.sockets)).getsockname()[1]
        began = time.monotonic()
        done = await sipua(
            "call", "600", "--uri", "sip:a@b", "--server", f"ws://127.0.0.1:{port}/", "--timeout", "0.5"
        )
    assert done.code == ExitCode.TIMEOUT
    assert done.err.startswith("sipua call: sip:600@b: No Answer; ")
    assert time.monotonic() - began < 3.5  # a CANCEL may be sent as soon as anything comes: 2 s it is waited


@pytest.mark.parametrize(
    ("how", "transport"),
    [((), "RFC4733"), (("--dtmf-by", "info"), "INFO"), (("--dtmf-by", "inband"), "INBAND")],
)
async def test_call_sends_digits(
    how: tuple[str, ...], transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sipua.server")
    async with server() as s:
        done = await sipua("call", "603", *account(s), "--loopback", "--dtmf", "5#", *how, "--json")
    assert done.code == ExitCode.OK, done
    sent = [(event["tone"], event["transport"]) for event in done.events if event["event"] == "dtmf"]
    assert sent == [("5", transport), ("#", transport)]
    assert "sent the digits 5" in caplog.text


async def test_an_ice_server_of_no_use_is_told_once() -> None:
    async with server() as s, relay() as (_, where):
        ice = ("--ice-server", f"turn:{where}", "--ice-user", USER, "--ice-password", "wrong")
        args = ("call", "600", *account(s), *ice, "--loopback", "--duration", "0.5")
        plain = await sipua(*args)
        told = await sipua(*args, "--json", "-v")
    expected = (
        f"the ICE server turn:{where} is of no use: it does not take user name and password (401 Unauthorized); "
        "sipua doctor examines it"
    )
    assert plain.out.splitlines().count(expected) == 1, plain
    assert [warning["message"] for warning in told.all("warning")] == [expected]
    assert "of no use" not in plain.err + told.err
    assert (plain.code, told.code) == (ExitCode.OK, ExitCode.OK)


async def test_packets_are_captured_for_the_trace(tmp_path: Path) -> None:
    capture, trace, whole = tmp_path / "media.pcap", tmp_path / "call.trace", tmp_path / "call.pcap"
    async with server() as s:
        args = ("call", "600", *account(s), "--loopback", "--duration", "1", "--json", "--trace", str(trace))
        done = await sipua(*args, "--capture", str(capture))
        written = await sipua("trace", str(trace), "--pcap", str(whole), "--rtp", str(capture))
    assert done.code == ExitCode.OK, done
    assert done.event("captured")["path"] == str(capture)
    ended = done.event("ended")
    assert packets_of(capture) >= ended["packets_sent"] + ended["packets_received"] > 50
    assert written.code == ExitCode.OK, written
    assert packets_of(whole) == packets_of(capture) + len(read_trace(trace).messages)


async def test_a_capture_that_cannot_be_written_is_a_failure() -> None:
    async with server() as s:
        args = ("call", "600", *account(s), "--loopback", "--duration", "0.5")
        full = await sipua(*args, "--capture", "/dev/full")
        nowhere = await sipua(*args, "--capture", "/none/x.pcap")
    assert full.code == ExitCode.FAILED, full
    line = "media: /dev/full: capture stopped: no space left on device; nothing was captured"
    assert full.out.splitlines().count(line) == 1
    assert "captured to" not in full.out
    assert (nowhere.code, nowhere.out) == (ExitCode.USAGE, "")
    assert nowhere.err == "sipua call: /none/x.pcap: directory /none does not exist; make it first\n"


def packets_of(path: Path) -> int:
    """How many the pcap file has."""
    data = path.read_bytes()
    place, count = 24, 0
    while place < len(data):
        place, count = place + 16 + int.from_bytes(data[place + 8 : place + 12], "little"), count + 1
    assert place == len(data)
    return count
