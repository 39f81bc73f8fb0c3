"""What the commands do with a call, and how it counts for the exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.events import Cause

if TYPE_CHECKING:
    from sipua.cli.audio import AudioOptions
    from sipua.errors import CallFailed
    from sipua.session import RTCSession

DtmfBy = Literal["RFC4733", "INFO", "INBAND"] | None

#: After the file has been sent, so much longer until the call is hung up: the peer still has to hear its end.
AFTERWARDS = 0.5


async def talk(
    call: RTCSession, audio: AudioOptions, *, dtmf: str | None = None, dtmf_by: DtmfBy = None
) -> None:
    """Do in a confirmed call what the options say; returns when it is over, or has to be hung up."""
    source = audio.source()
    playback = call.audio.play(source) if source is not None else None
    digits = call.send_dtmf(dtmf, transport_type=dtmf_by) if dtmf is not None else None

    async def finished() -> None:
        if playback is None or not audio.ends_by_itself:
            await asyncio.get_running_loop().create_future()  # never
            return
        await playback.wait()
        if digits is not None:
            await asyncio.wait((digits,))
        await asyncio.sleep(AFTERWARDS)

    tasks = {asyncio.ensure_future(call.wait_ended()), asyncio.ensure_future(finished())}
    try:
        await asyncio.wait(tasks, timeout=audio.duration, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def hang_up(call: RTCSession) -> ExitCode:
    """End the call if it is not over; returns what the command says of it."""
    if not call.is_ended():
        call.terminate()
    normal = call.failure is None and call.cause in (None, Cause.BYE)
    return ExitCode.OK if normal else ExitCode.FAILED


def refused(call: RTCSession, error: CallFailed) -> Failure:
    """A call that did not come about, with the name of who was called."""
    return Failure(f"{call.remote_identity.uri}: {one_line(error)}", exit_code(error))
