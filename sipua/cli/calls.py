"""What the commands do with a call, and how it counts for the exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.tasks import TaskOptions, Tasks
from sipua.events import Cause

if TYPE_CHECKING:
    from sipua.cli.audio import AudioOptions
    from sipua.cli.output import Output
    from sipua.errors import CallFailed
    from sipua.session import RTCSession

#: After the file has been sent, so much longer until the call is hung up: the peer still has to hear its end.
AFTERWARDS = 0.5

#: When the peer hangs up while it is being transferred, so long is waited for how that went.
TRANSFER_GRACE = 5.0


async def talk(
    call: RTCSession, audio: AudioOptions, output: Output, number: int = 1, tasks: TaskOptions | None = None
) -> None:
    """Do in a confirmed call what the options say; returns when it is over, or has to be hung up.

    :raises Failure: what is expected did not come, or a transfer did not work.
    :raises MediaError: what is to be heard cannot be opened any more.
    """
    options = tasks if tasks is not None else TaskOptions()
    source = await audio.opened_source()
    playback = call.audio.play(source) if source is not None else None
    speaker = audio.sink()
    if speaker is not None:
        call.audio.add_sink(speaker)
    with Tasks(options, call, output, number) as doing:
        playing = playback.wait() if playback is not None and audio.plays_to_an_end else None
        ends = audio.duration is None and (playing is not None or options.has_to_succeed)

        async def work() -> None:
            await doing.run(playing)
            if not ends:
                await asyncio.get_running_loop().create_future()  # never
            if playing is not None:
                await asyncio.sleep(AFTERWARDS)

        over, worked = asyncio.ensure_future(call.wait_ended()), asyncio.ensure_future(work())
        try:
            await asyncio.wait({over, worked}, timeout=audio.duration, return_when=asyncio.FIRST_COMPLETED)
            if over.done() and options.has_to_succeed:
                await asyncio.wait({worked}, timeout=TRANSFER_GRACE)
            if worked.done():
                worked.result()
            if doing.unmet:
                raise doing.missing("it did not come before the end of --duration")
        finally:
            for task in (over, worked):
                task.cancel()
            await asyncio.gather(over, worked, return_exceptions=True)


def hang_up(call: RTCSession) -> ExitCode:
    """End the call if it is not over; returns what the command says of it."""
    if not call.is_ended():
        call.terminate()
    normal = call.failure is None and call.cause in (None, Cause.BYE)
    return ExitCode.OK if normal else ExitCode.FAILED


def refused(call: RTCSession, error: CallFailed) -> Failure:
    """A call that did not come about, with the name of who was called."""
    return Failure(f"{call.remote_identity.uri}: {one_line(error)}", exit_code(error))
