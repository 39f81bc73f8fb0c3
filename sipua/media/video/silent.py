"""A video port without video, for media that only looks like media."""

from __future__ import annotations

import asyncio
from typing import Any

from sipua.errors import InvalidStateError
from sipua.media.interface import VideoPort

__all__ = ["BlankVideoPort"]


class BlankVideoPort(VideoPort):
    """Shows nothing, and nothing is ever seen."""

    def __init__(self, source: Any = None) -> None:
        self._source = source
        self._muted = False
        self._over = asyncio.Event()

    @property
    def source(self) -> Any:
        """The last one that was set, never opened."""
        return self._source

    @source.setter
    def source(self, source: Any) -> None:
        self._source = source

    @property
    def muted(self) -> bool:
        """As `mute` and `unmute` left it."""
        return self._muted

    def mute(self) -> None:
        """Only noted."""
        self._muted = True

    def unmute(self) -> None:
        """Only noted."""
        self._muted = False

    @property
    def track(self) -> None:
        """There is none."""
        return

    async def frame(self) -> Any:
        """Waits until the call ends."""
        await self._over.wait()
        raise InvalidStateError("frame", "closed")

    async def snapshot(self, format: str = "png") -> bytes:
        """Waits until the call ends."""
        await self._over.wait()
        raise InvalidStateError("snapshot", "closed")

    def close(self) -> None:
        """The call is over."""
        self._over.set()
