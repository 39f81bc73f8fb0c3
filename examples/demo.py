"""A real call from nothing: server, two registrations, speech there and back, checked.

python -m examples.demo [FILE]                               (any audio file; by default the speech beside this)

Needs no network beside loopback, no sound card and no other program. Exits with 0 only if what came back from
the echo is what was played; with 2 when FILE cannot be played.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sipua import UA, SipuaError
from sipua.cli.exits import ExitCode, exit_code, one_line
from sipua.cli.output import make_output
from sipua.cli.report import Board, Report
from sipua.media.sources import AudioFile
from sipua.testing import StallWatch, calm
from sipua.trace import Trace
from sipua.trace.ladder import ladder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sipua.cli.output import Output

SPEECH = Path(__file__).parent / "audio" / "speech.wav"
RECORDING = Path("demo-call.wav")
RATE = 8000  # Hz, for the comparison
LONGEST = 30.0  # seconds of the file that are played
ECHO = 1.0  # seconds until the end of it has surely come back
ENOUGH = 0.9  # correlation of what was played with what came back
TRIES = 2  # when the machine has other things to do than to send audio in time
QUIET = -60.0  # dBov: nothing to recognise below


@contextlib.asynccontextmanager
async def server(accounts: Mapping[str, str]) -> AsyncIterator[tuple[str, int]]:
    """`sipua serve` as a child process on a free port; gives its URL and number, ends it afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "accounts"  # not on the command line, where ps shows it
        file.touch(mode=0o600)
        file.write_text("".join(f"{user}:{password}\n" for user, password in accounts.items()))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua", "serve", "--accounts", str(file)),
            *("--port", "0", "--loopback", "--json"),
            *("--duration", "120"),  # should this process be killed, it ends by itself
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: the server has to hear our goodbyes
        )
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "listening":
                    yield event["urls"][0], process.pid
                    break
            else:
                raise SipuaError("the server did not start")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()


async def call_echo(url: str, accounts: Mapping[str, str], file: Path, output: Output, trace: Trace) -> None:
    """Register everybody, call 600, play the file, record what comes back."""
    async with contextlib.AsyncExitStack() as stack:
        users = {}
        for user, password in accounts.items():
            users[user] = ua = UA(f"sip:{user}@localhost", sockets=url, password=password)
            if user == "alice":
                trace.follow(ua)
            await stack.enter_async_context(ua)
            output.event("registered", f"registered {user} with digest authentication")
        call = users["alice"].call("600", record=RECORDING, ice_host_addresses=("127.0.0.1",))
        Report(output, Board(output), call)
        async with call:
            playback = call.audio.play(file)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(playback.wait(), LONGEST)
            playback.stop()
            await asyncio.sleep(ECHO)
        output.text(f"\n{ladder(trace.messages, call_id=call.request.call_id)}\n")


def check_file(file: Path) -> None:
    """Whether it can be played and recognised.

    :raises SipuaError: it cannot.
    """
    from sipua.media.analysis import level, load

    if RECORDING.exists() and file.exists() and RECORDING.samefile(file):
        raise SipuaError(f"{file}: is where the demo records to; give another file, or a copy of it")
    AudioFile(file).check()
    if level(load(file, RATE)[: int(LONGEST * RATE)]) < QUIET:
        raise SipuaError(f"{file}: is silent; give a file with something to recognise in it")


def compare(file: Path, output: Output) -> bool:
    """Whether the recording holds what was played."""
    from sipua.media.analysis import correlate, load

    played = load(file, RATE)[: int(LONGEST * RATE)]
    match = correlate(played, RECORDING, rate=RATE)
    same = match.correlation >= ENOUGH
    verdict = "what came back is what was played" if same else "what came back is NOT what was played"
    output.event(
        "compared",
        f"{verdict}: correlation {match.correlation:.3f} ({ENOUGH} is enough), "
        f"delay {match.delay * 1000:.0f} ms; listen to {RECORDING}",
    )
    return same


async def demo(file: Path, output: Output) -> int:
    """The whole of it; returns the exit code."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    started = time.monotonic()
    accounts = {user: secrets.token_urlsafe(12) for user in ("alice", "bob")}
    async with server(accounts) as (url, pid):
        output.event("listening", f"the embedded server listens at {url}")
        for left in reversed(range(TRIES)):
            async with StallWatch(pid) as watch:
                await call_echo(url, accounts, file, output, Trace())
            same = compare(file, output)
            if same or not (left and watch.stalled):
                break
            output.text(
                f"this machine stood still for {watch.longest * 1000:.0f} ms in the call: once more\n"
            )
            await calm()
    output.text(f"{'done' if same else 'failed'} in {time.monotonic() - started:.1f} s")
    return ExitCode.OK if same else ExitCode.FAILED


def main(args: list[str]) -> int:
    """Run the demonstration with the command line `args`."""
    file = Path(args[0]) if args else SPEECH
    output = make_output(json=False)
    try:
        check_file(file)
    except SipuaError as error:
        output.error(f"demo: {one_line(error)}", ExitCode.USAGE)
        return ExitCode.USAGE
    try:
        return asyncio.run(demo(file, output))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ExitCode.INTERRUPTED
    except (SipuaError, OSError) as error:
        output.error(f"demo: {one_line(error)}", exit_code(error))
        return ExitCode.FAILED
    finally:
        output.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
