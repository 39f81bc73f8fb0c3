"""A conference: all who call are in one room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua import Conference
from sipua.media.sources import Tone

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sipua import RTCSession

MAX_MEMBERS = 50

#: What tells the others that somebody has come or gone: a higher and a lower tone.
COME, GONE = 1568.0, 1175.0
CHIME_SECONDS = 0.15
_CHIME_LEVEL = -26.0  # dBov: below speech


class Room:
    """The room of one server."""

    def __init__(self) -> None:
        self._room = Conference(max_members=MAX_MEMBERS)

    def __call__(self, call: RTCSession) -> Coroutine[None, None, None] | None:
        """Let the caller in, or be busy when the room is full."""
        if len(self._room) >= MAX_MEMBERS:
            call.terminate(status_code=486)
            return None
        return self._stay(call)

    async def _stay(self, call: RTCSession) -> None:
        room = self._room
        await call.answer()
        if len(room) >= MAX_MEMBERS:
            return  # several came for the last seat
        room.join(call)
        room.play(Tone(COME, level=_CHIME_LEVEL, seconds=CHIME_SECONDS))
        try:
            await call.wait_ended()
        finally:
            room.leave(call)
            if room.members:
                room.play(Tone(GONE, level=_CHIME_LEVEL, seconds=CHIME_SECONDS))
