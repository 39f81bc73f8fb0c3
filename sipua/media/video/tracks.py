"""The two tracks of a call's video: the one that aiortc sends from, and the one that the application reads."""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["RemoteVideo", "SentVideo"]

_CLOCK_RATE = 90000
_TIME_BASE = Fraction(1, _CLOCK_RATE)
# Frames that wait for a slow reader. One of 640 × 480 takes half a megabyte.
_QUEUED = 30


class SentVideo(MediaStreamTrack):
    """Endless, whatever becomes of the sources: aiortc's sender dies with its track.

    Frames are stamped when they are sent, by the clock of the loop, so that time never goes back when a source takes
    the place of another; the clock is the same for all calls, which may share a frame.
    """

    kind = "video"

    def __init__(self, next_frame: Callable[[], Awaitable[Any]]) -> None:
        super().__init__()
        self._next_frame = next_frame
        self._last = 0

    async def recv(self) -> Any:
        """The next frame, or packet of an encoded source."""
        frame = await self._next_frame()
        self._last = max(self._last + 1, int(asyncio.get_running_loop().time() * _CLOCK_RATE))
        frame.pts, frame.time_base = self._last, _TIME_BASE
        return frame


class RemoteVideo(MediaStreamTrack):
    """What the peer shows, for one reader. Nothing is kept before it begins to read; then the oldest go first."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._frames: deque[Any] = deque(maxlen=_QUEUED)
        self._reader: asyncio.Future[None] | None = None
        self._is_read = False

    async def recv(self) -> Any:
        """The next frame. Raises MediaStreamError when the video has ended."""
        self._is_read = True
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            if self._reader is None:
                self._reader = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._reader)
        return self._frames.popleft()

    def push(self, frame: Any) -> None:
        """A frame has come."""
        if self._is_read:
            self._frames.append(frame)
            self._wake()

    def stop(self) -> None:
        """No more frames come; those that wait can still be read."""
        super().stop()
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
