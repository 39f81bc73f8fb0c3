"""Running the command in a test, against the embedded server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
import threading
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sipua.cli.app import run
from sipua.cli.exits import ExitCode
from sipua.media.analysis import correlate
from sipua.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "speech.wav"
LOOPBACK = {"ice_host_addresses": ("127.0.0.1",)}


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def event(self, name: str) -> dict[str, Any]:
        (found,) = self.all(name)
        return found


def command(*args: str) -> Result:
    """Run the command here."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(args)
    assert "Traceback" not in err.getvalue()
    return Result(code, out.getvalue(), err.getvalue())


async def sipua(*args: str) -> Result:
    """Run the command in a thread of this process.

    Nobody waits for the thread: a command that does not end fails its test, and holds up no other.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def tell(result: Result | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if result is not None:
            done.set_result(result)
        else:
            done.set_exception(error or AssertionError("the command has no result"))

    def work() -> None:
        result, failed = None, None
        try:
            result = command(*args)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, result, failed)

    threading.Thread(target=work, name="sipua command", daemon=True).start()
    return await done


def server() -> Server:
    return Server({"alice": "secret", "bob": "secret"}, media_options=LOOPBACK)


def account(server: Server, user: str = "alice", password: str = "secret") -> tuple[str, ...]:
    return ("--uri", f"sip:{user}@localhost", "--password", password, "--server", server.url)


async def waiting(s: Server, user: str) -> None:
    """Until the user has registered."""
    async with asyncio.timeout(10):
        while user not in s.registrations():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


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


def speech(path: Path, seconds: float) -> Path:
    """The beginning of the speech, as a file of its own."""
    with wave.open(str(SPEECH)) as whole, wave.open(str(path), "wb") as file:
        file.setparams(whole.getparams())
        file.writeframes(whole.readframes(int(seconds * whole.getframerate())))
    return path


def check_recording(done: Result, played: Path, recording: Path) -> None:
    assert done.code == ExitCode.OK, done
    assert correlate(played, recording).correlation > 0.9
