"""`sipua phone` as a whole: over real sockets and media, against the embedded server."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sipua.cli.exits import ExitCode
from sipua.media.analysis import detect_tones
from tests.cli.commands import account, command, server, waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime


async def phone(text: str, *args: str) -> tuple[int, list[str], str]:
    """Run it with `text` as standard input; exit code, lines, and what is on standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipua", "phone", *args, "--loopback"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return process.returncode, out.decode().splitlines(), err.decode()


async def test_a_call_by_lines_is_heard_and_recorded(tmp_path: Path, data: Path) -> None:
    recording = tmp_path / "tone.wav"
    async with (
        server() as s,
        headless(*account(s), "--plain", "--trace", str(tmp_path / "trace")) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(b"dial 605\n")
        await said(process, "[1] answered")
        process.stdin.write(f"wait 0.5\nrecord 1 {recording}\nwait 1.5\nstop\n".encode())
        line = await said(process, "[1] recorded ")
        assert line.endswith(f" s to {recording}")
        process.stdin.write(b"hangup\n")
        await said(process, "[1] hung up")
        process.stdin.write(b"history\n")
        assert "outgoing  sip:605@localhost  answered" in await said(process, "20")
        process.stdin.close()
        await said(process, "not registered any more")
        assert await process.wait() == ExitCode.OK
    assert detect_tones(recording, (440.0, 1004.0), share=0.8) == [1004.0]
    (entry,) = [json.loads(line) for line in (data / "history.jsonl").read_text().splitlines()]
    assert (entry["remote"], entry["outcome"]) == ("sip:605@localhost", "answered")
    assert "INVITE sip:605@localhost" in (tmp_path / "trace").read_text()
    assert "secret" not in (tmp_path / "trace").read_text()


async def test_calls_go_on_after_the_last_line() -> None:
    async with server() as s:
        code, lines, _ = await phone("dial 609\n", *account(s))  # hangs up after 2 s
    assert code == ExitCode.OK
    assert any("the peer hung up after 00:0" in line for line in lines)


async def test_a_digit_menu_by_json() -> None:
    commands = [
        {"command": "dial", "target": "600", "id": 1},
        {"command": "trace"},
        {"command": "wait", "seconds": 0.5, "id": 2},
    ]
    async with server() as s:
        text = "".join(json.dumps(command) + "\n" for command in commands)
        code, lines, _ = await phone(text, *account(s), "--json", "--tone", "440")
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert code == ExitCode.OK
    assert found[-1] == {**found[-1], "event": "done", "exit_code": 0}
    assert {event["id"] for event in found if event["event"] == "reply"} == {1, 2, None}
    # The controller has gone: nobody could end the call any more.
    assert [event["originator"] for event in found if event["event"] == "ended"] == ["local"]
    messages = [event["message"] for event in found if event["event"] == "sip"]
    assert any(message.startswith("BYE ") for message in messages)


async def test_a_signal_ends_calls_as_it_should() -> None:
    async with server() as s, headless(*account(s), "--json") as process:
        assert process.stdin is not None
        process.stdin.write(b'{"command": "dial", "target": "602"}\n')
        await told(process, "confirmed")
        process.send_signal(signal.SIGTERM)
        assert (await told(process, "ended"))["originator"] == "local"
        assert await process.wait() == ExitCode.INTERRUPTED


async def test_without_a_screen_by_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "phone"
    async with (
        server() as s,
        headless(*account(s), "--headless", "--remote", f"unix:{path}") as process,
    ):
        await waiting(s, "alice")
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"command": "quit"}\n')
        assert json.loads(await reader.readline())["event"] == "ready"
        assert await process.wait() == ExitCode.OK
        writer.close()


@contextlib.asynccontextmanager
async def headless(*args: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipua", "phone", *args, "--loopback"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process, beginning: str) -> str:
    """The next line that begins so."""
    assert process.stdout is not None
    async for line in process.stdout:
        if line.decode().startswith(beginning):
            return line.decode().rstrip("\n")
    raise AssertionError(f"ended without {beginning!r}")


async def told(process: asyncio.subprocess.Process, name: str) -> dict[str, Any]:
    """The next event of this name."""
    assert process.stdout is not None
    async for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == name:
            return event
    raise AssertionError(f"ended without {name}")


async def test_the_example() -> None:
    async with server() as s:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examples.remote", s.url), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    assert out.decode().splitlines() == ["answered, opus/48000", "sent 1", "sent 2", "over: Terminated"]


# --- the screen -----------------------------------------------------------------------------------------------


class Terminal:
    """A terminal of 80 columns and 24 lines with the phone in it."""

    def __init__(self, *args: str) -> None:
        self.text = ""
        self._args = args

    async def __aenter__(self) -> Terminal:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._ours)
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua", "phone", *self._args, "--loopback"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    def _read(self) -> None:
        try:
            self.text += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self._ours)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(20):
            while text not in self.text:  # noqa: ASYNC110 - it comes by a pipe
                await asyncio.sleep(0.05)

    async def __aexit__(self, *exc_info: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)


async def test_the_screen_on_a_terminal(tmp_path: Path) -> None:
    async with server() as s, Terminal(*account(s)) as terminal:
        await terminal.shows("registered")
        terminal.press("d600\r")
        await terminal.shows("00:01")
        terminal.press("q")
        async with asyncio.timeout(15):
            assert await terminal.process.wait() == ExitCode.OK
        await terminal.shows("\x1b[?1049l")  # the screen of before is back
        assert s.registrations() == {}


async def test_a_signal_leaves_the_terminal_as_it_was() -> None:
    async with server() as s, Terminal(*account(s)) as terminal:
        await terminal.shows("registered")
        terminal.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await terminal.process.wait() == ExitCode.INTERRUPTED
        await terminal.shows("\x1b[?1049l")
        assert termios.tcgetattr(terminal._ours)[3] == terminal.before[3]
        assert s.registrations() == {}


# --- what cannot be -------------------------------------------------------------------------------------------

_ACCOUNT = ("--uri", "sip:alice@localhost", "--server", "ws://localhost:1/")


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--headless",), "--headless: needs --remote unix:PATH or tcp:PORT"),
        (("--plain", "--json"), "--plain: not together with"),
        (("--remote", "carrier-pigeon"), "none of stdio, unix:PATH, tcp:PORT"),
        (("--remote", "tcp:0.0.0.0:1"), "only loopback addresses"),
        (("--play", "nothing.wav", "--plain"), "nothing.wav"),
        (("--hold-music", "nothing.wav", "--plain"), "nothing.wav: no such file or directory"),
        (("--record-dir", "/no/such", "--plain"), "--record-dir /no/such: no such directory; make it first"),
        (("--mic", "no such thing", "--plain"), "no such thing"),
        (("--also", "work", "--plain"), "--also work: no such account"),
        (("--trace", "/no/such/directory/file", "--plain"), "--trace /no/such/directory/file: "),
        (("--tone", "0", "--plain"), "--tone"),
    ],
)
def test_wrong_options(args: tuple[str, ...], why: str) -> None:
    done = command("phone", *_ACCOUNT, *args)
    assert done.code == ExitCode.USAGE
    assert why in done.err
    assert done.err.count("\n") == 1


async def test_a_server_that_is_not_there() -> None:
    code, lines, _ = await phone("dial 600\naccounts\n", *_ACCOUNT, "--plain")
    assert code == ExitCode.OK
    assert len([line for line in lines if line.startswith("no connection: ")]) == 1
    assert any(line.startswith("! alice: not connected to a server: ") for line in lines)


async def test_a_trace_that_cannot_be_written_is_told_and_a_failure() -> None:
    code, lines, _ = await phone("quit\n", *_ACCOUNT, "--plain", "--trace", "/dev/full")
    assert code == ExitCode.FAILED
    assert lines.count("--trace /dev/full: No space left on device; the trace ends here") == 1


def test_nothing_of_the_screen_is_loaded_for_help() -> None:
    program = "import sys, sipua.cli.app as a; a.run(['phone', '--help']); sys.exit('textual' in sys.modules)"
    assert (
        os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", program + " or 'rich' in sys.modules") == 0
    )
