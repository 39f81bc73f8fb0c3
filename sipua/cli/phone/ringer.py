"""What rings at the speaker: calls that come in, and calls of ours that ring at the other end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from sipua.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipua.cli.phone.call import PhoneCall
    from sipua.cli.phone.sound import Sound
    from sipua.media.interface import AudioSink, AudioSource

__all__ = ["Ringer"]

Ring = Literal["bell", "ringback"]

_RATE, _TICK = 48000, 0.02


class Ringer:
    """Rings while it is due; `update` may be called at any time. Without a speaker it is silent."""

    def __init__(self, sound: Sound) -> None:
        self.rings: Ring | None = None
        """What is heard now."""
        self._sound = sound
        self._task: asyncio.Task[None] | None = None

    def update(self, calls: Sequence[PhoneCall]) -> None:
        """Ring, or not, by the states of these calls."""
        wanted = _wanted(calls)
        if wanted == self.rings:
            return
        self.rings = wanted
        if self._task is not None:
            self._task.cancel()
            self._task = None
        sink = self._sound.sink() if wanted is not None else None
        if wanted is not None and sink is not None:
            self._task = asyncio.ensure_future(_ring(_source(wanted), sink))

    def close(self) -> None:
        """Be silent."""
        self.update(())


def _wanted(calls: Sequence[PhoneCall]) -> Ring | None:
    if any(call.is_up and call.state != "held" for call in calls):
        return None  # somebody is talking; the screen shows who calls
    if any(call.waits_for_answer for call in calls):
        return "bell"
    # With early media, what is heard comes from the other end.
    return "ringback" if any(call.state == "ringing" and not call.early for call in calls) else None


def _source(ring: Ring) -> AudioSource:
    from sipua.media.progress import ProgressTone

    return ProgressTone("ringback") if ring == "ringback" else ProgressTone("ringback", "gb")


async def _ring(source: AudioSource, sink: AudioSink) -> None:
    """Until it is cancelled. A speaker that fails is told by the call, if there will be one."""
    try:
        sink.open()
    except MediaError:
        return
    try:
        stream = source.open(_RATE)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while pcm := stream.read(round(_RATE * _TICK)):
            sink.write(pcm, _RATE)
            due += _TICK
            await asyncio.sleep(max(0.0, due - loop.time()))
    except MediaError:
        pass
    finally:
        sink.close()
