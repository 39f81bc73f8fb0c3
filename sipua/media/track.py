"""The track that aiortc sends from: one per branch, endless, 20 ms after 20 ms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from sipua.media.pcm import FRAME_DURATION, SAMPLE_BYTES, frame_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import AudioFrame

__all__ = ["OutgoingTrack"]

# A loop that was blocked for longer than this does not send all that it missed at once: time stamps move on
# instead.
_MAX_CATCH_UP = 0.1


class OutgoingTrack(MediaStreamTrack):
    """Asks `pull` for 20 ms of PCM at `rate` Hz whenever they are due.

    Frames are due at fixed times counted from the first, so that nothing drifts. The rate is asked for
    with the first of them.
    """

    kind = "audio"

    def __init__(self, pull: Callable[[], bytes], start: Callable[[], int]) -> None:
        super().__init__()
        self._pull = pull
        self._start = start
        self.rate = 0
        self._pts = 0
        self._due: float | None = None

    @property
    def started(self) -> bool:
        """Whether a frame has been asked for, which settles `rate`."""
        return self._due is not None

    def change_rate(self, rate: int) -> None:
        """Go on at another rate. The encoder must be a new one, too: they are made for one rate."""
        if self.started:
            self._pts = self._pts * rate // self.rate
            self.rate = rate

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._due is None:
            self._due = loop.time()
            self.rate = self._start()
        else:
            self._due += FRAME_DURATION
            late = loop.time() - self._due
            if late < 0:
                await asyncio.sleep(-late)
            elif late > _MAX_CATCH_UP:
                missed = int(late / FRAME_DURATION)
                self._due += missed * FRAME_DURATION
                self._pts += missed * self.rate // 50
        pcm = self._pull()
        frame = frame_of(pcm, self.rate, self._pts)
        self._pts += len(pcm) // SAMPLE_BYTES
        return frame
