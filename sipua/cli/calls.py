"""The end of a call, and how it counts for the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.events import Cause

if TYPE_CHECKING:
    from sipua.errors import CallFailed
    from sipua.session import RTCSession

#: After the file has been sent, so much longer until the call is hung up: the peer still has to hear its end.
AFTERWARDS = 0.5

#: When the peer hangs up while it is being transferred, so long is waited for how that went.
TRANSFER_GRACE = 5.0


def hang_up(call: RTCSession) -> ExitCode:
    """End the call if it is not over; returns what the command says of it."""
    if not call.is_ended():
        call.terminate()
    normal = call.failure is None and call.cause in (None, Cause.BYE)
    return ExitCode.OK if normal else ExitCode.FAILED


def refused(call: RTCSession, error: CallFailed) -> Failure:
    """A call that did not come about, with the name of who was called."""
    return Failure(f"{call.remote_identity.uri}: {one_line(error)}", exit_code(error))
