"""The commands against the embedded server, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import pty
import re
import shutil
import signal
import sys
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from websockets import Subprotocol
from websockets.asyncio.server import serve as websocket_server

from sipua import UA
from sipua.cli.app import run
from sipua.cli.exits import ExitCode
from sipua.media.analysis import correlate, detect_tones, load
from sipua.server import Server
from sipua.testing import steady
from sipua.trace import read_trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime

SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "speech.wav"
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        (found,) = [event for event in self.events if event["event"] == name]
        return found


@pytest.fixture(autouse=True)
def _log_of_the_server_is_not_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sipua.server"), "propagate", False)


async def sipua(*args: str) -> Result:
    """Run the command in a thread of this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = await asyncio.to_thread(run, args)
    assert "Traceback" not in err.getvalue()
    return Result(code, out.getvalue(), err.getvalue())


@contextlib.asynccontextmanager
async def child(*args: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipua", *args),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    """The next line of its output with this in it."""
    assert process.stdout is not None
    async for line in process.stdout:
        if text in line.decode():
            return line.decode()
    raise AssertionError(f"ended without {text!r}")


def server() -> Server:
    return Server({"alice": "secret", "bob": "secret"}, media_options=LOOPBACK)


def account(server: Server, user: str = "alice", password: str = "secret") -> tuple[str, ...]:
    return ("--uri", f"sip:{user}@localhost", "--password", password, "--server", server.url)


# --- register ---------------------------------------------------------------------------------------------------------


async def test_register_says_what_was_granted_and_leaves_nothing_behind() -> None:
    async with server() as s:
        done = await sipua("register", *account(s))
        assert done == (
            ExitCode.OK,
            f"connected to {s.url}\nregistered as sip:alice@localhost for 600 s\nnot registered any more\n",
            "",
        )
        assert s.registrations() == {}


async def test_register_stays_as_long_as_asked() -> None:
    async with server() as s:
        task = asyncio.ensure_future(
            sipua("register", *account(s), "--duration", "0.8", "--expires", "120", "--json")
        )
        await asyncio.sleep(0.5)
        assert list(s.registrations()) == ["alice"]
        done = await task
        assert done.code == ExitCode.OK
        assert done.event("registered")["expires"] == 120
        assert [event["event"] for event in done.events] == [
            "connecting",
            "connected",
            "registered",
            "unregistered",
            "disconnected",
            "done",
        ]
        assert {event["schema"] for event in done.events} == {"sipua/1"}


async def test_wrong_password() -> None:
    async with server() as s:
        done = await sipua("register", *account(s, password="wrong"))
        assert done.code == ExitCode.UNAUTHORISED
        assert done.err.startswith("sipua register: ")
        assert "401 Unauthorized; wrong user name or password: check --uri" in done.err
        assert done.err.count("\n") == 1
        call = await sipua("call", "600", *account(s, password="wrong"), "--json")
        assert call.code == ExitCode.UNAUTHORISED
        assert call.event("failed")["status"] == 407
        assert call.event("error")["exit_code"] == ExitCode.UNAUTHORISED
        assert call.event("done")["exit_code"] == ExitCode.UNAUTHORISED


async def test_dead_server() -> None:
    done = await sipua("register", "--uri", "sip:a@b", "--server", "ws://127.0.0.1:1/")
    assert done == (
        ExitCode.FAILED,
        "",
        "sipua register: ws://127.0.0.1:1/: connection refused: is the server running, and is it this port?\n",
    )


async def test_second_server_is_used_when_the_first_is_dead() -> None:
    async with server() as s:
        done = await sipua("register", "--server", "ws://127.0.0.1:1/", *account(s), "--timeout", "20")
        assert done.code == ExitCode.OK
        assert f"connected to {s.url}" in done.out


async def test_server_that_accepts_and_says_nothing() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        done = await sipua(
            "register", "--uri", "sip:a@b", "--server", f"ws://127.0.0.1:{port}/", "--timeout", "0.5"
        )
    assert done.code == ExitCode.TIMEOUT
    assert f"127.0.0.1:{port}" in done.err
    assert "0.5 s" in done.err
    assert done.err.count("\n") == 1


async def test_server_without_the_sub_protocol() -> None:
    async with websocket_server(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as other:
        port = next(iter(other.sockets)).getsockname()[1]
        done = await sipua("register", "--uri", "sip:a@b", "--server", f"ws://127.0.0.1:{port}/")
    assert done.code == ExitCode.FAILED
    assert "did not select the sub-protocol sip" in done.err
    assert done.err.count("\n") == 1


async def test_certificates(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    async with Server({"alice": "secret"}, port=None, certificate=cert, private_key=key, apps=False) as s:
        url = s.url.replace("127.0.0.1", "localhost")
        args = ("register", "--uri", "sip:alice@localhost", "--password", "secret", "--server", url)
        untrusted = await sipua(*args)
        assert untrusted.code == ExitCode.FAILED
        assert "certificate not trusted" in untrusted.err
        assert "--ca-file" in untrusted.err
        assert "--insecure" in untrusted.err
        assert untrusted.err.count("\n") == 1
        assert (await sipua(*args, "--ca-file", str(cert))).code == ExitCode.OK
        insecure = await sipua(*args, "--insecure")
        assert insecure.code == ExitCode.OK
        assert "--insecure: certificates are not checked" in insecure.out


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody has signed, and its key."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


# --- call -------------------------------------------------------------------------------------------------------------


def speech(path: Path, seconds: float) -> Path:
    """The beginning of the speech, as a file of its own."""
    with wave.open(str(SPEECH)) as whole, wave.open(str(path), "wb") as file:
        file.setparams(whole.getparams())
        file.writeframes(whole.readframes(int(seconds * whole.getframerate())))
    return path


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


def check_recording(done: Result, played: Path, recording: Path) -> None:
    assert done.code == ExitCode.OK, done
    assert correlate(played, recording).correlation > 0.9


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


# --- answer -----------------------------------------------------------------------------------------------------------


async def waiting(s: Server, user: str) -> None:
    async with asyncio.timeout(10):
        while user not in s.registrations():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


async def test_answer_takes_calls_and_gives_each_a_recording(tmp_path: Path) -> None:
    recording = tmp_path / "in.wav"
    async with server() as s:
        answering = asyncio.ensure_future(
            sipua(
                *("answer", *account(s, "bob"), "--loopback", "--echo", "--count", "2"),
                *("--record", str(recording), "--json"),
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
    calls = [event for event in done.events if event["event"] == "call"]
    assert [(event["call"], event["direction"]) for event in calls] == [(1, "incoming"), (2, "incoming")]
    assert calls[0]["remote"] == "sip:alice@localhost"
    digits = [event["tone"] for event in done.events if event["event"] == "dtmf"]
    assert digits == ["5", "5"]


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


# --- serve ------------------------------------------------------------------------------------------------------------


async def test_serve(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts"
    accounts.write_text("# people\nalice:secret\n")
    async with child("serve", "--accounts", str(accounts), "--port", "0", "--loopback", "--json") as process:
        listening = json.loads(await line_with(process, "listening"))
        (url,) = listening["urls"]
        args = ("--uri", "sip:alice@localhost", "--password", "secret", "--server", url)
        assert (await sipua("register", *args)).code == ExitCode.OK
        assert (await sipua("call", "610", *args)).code == ExitCode.BUSY
        process.send_signal(signal.SIGINT)
        assert await process.wait() == ExitCode.OK


async def test_serve_for_a_while_and_where_it_cannot() -> None:
    async with server() as s:
        port = s.url.rsplit(":", 1)[1].rstrip("/")
        taken = await sipua("serve", "--account", "a:b", "--port", port)
        assert taken.code == ExitCode.FAILED
        assert "cannot listen there" in taken.err
        assert taken.err.count("\n") == 1
    done = await sipua("serve", "--account", "a:b", "--port", "0", "--duration", "0.1")
    assert done.code == ExitCode.OK
    assert "600  echo" in done.out
    done = await sipua("serve", "--account", "a:b", "--port", "0", "--duration", "0.1", "--no-apps")
    assert done.out.count("\n") == 1


# --- the end ----------------------------------------------------------------------------------------------------------


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
