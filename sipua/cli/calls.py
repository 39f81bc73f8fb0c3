"""The end of a call, and how it counts for the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure, exit_code, one_line
from sipua.cli.reasons import reason_words
from sipua.errors import ParseError
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


def broken(call: RTCSession) -> Failure:
    """A call that was up, and ended in a way that nobody wanted."""
    words = filter(None, (str(call.cause), reason_words(call.ending.reason if call.ending else None)))
    return Failure(f"{call.remote_identity.uri}: the call broke: {': '.join(words)}")


def refused(call: RTCSession, error: CallFailed) -> Failure:
    """A call that did not come about, with the name of who was called, and where else to try."""
    text, raw = one_line(error), call.failure.reason if call.failure is not None else None
    if raw:
        words = reason_words(raw)
        text = text.replace(f": {one_line(Failure(raw))}", f": {words}" if words else "", 1)
    if (elsewhere := _elsewhere(error)) is not None:
        text += f"; call {elsewhere} instead"
    return Failure(f"{call.remote_identity.uri}: {text}", exit_code(error))


def _elsewhere(error: CallFailed) -> str | None:
    """Where a 3xx says that the one who was called can be reached."""
    response = error.response
    if response is None or not 300 <= response.code < 400:
        return None
    try:
        return next((str(contact.uri) for contact in response.contact), None)
    except ParseError:
        return None
