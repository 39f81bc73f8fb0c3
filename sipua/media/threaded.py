"""Sinks that may block, as the files are, take what is heard in a thread."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sipua.media.disk import DiskQueue
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["ThreadedSink"]


class ThreadedSink(AudioSink):
    """Stands for `sink`, which is opened at once, and written to and closed in a thread.

    `on_error` is told once what it raised there; nothing more is written to it then.
    """

    def __init__(self, sink: AudioSink, on_error: Callable[[BaseException], None]) -> None:
        self._sink = sink
        self._on_error = on_error
        self._queue: DiskQueue[tuple[bytes, int]] | None = None

    def open(self) -> None:
        """Open the sink."""
        self._sink.open()
        path: Path | str = getattr(self._sink, "path", repr(self._sink))
        self._queue = DiskQueue(path, self._write, self._on_error)

    def write(self, pcm: bytes, rate: int) -> None:
        """For the thread. Time that was missing comes in seconds, not in ticks."""
        assert self._queue is not None
        self._queue.put((pcm, rate), weight=len(pcm) <= rate // 5)

    def close(self) -> None:
        """Let the thread close it after what waits."""
        if self._queue is not None:
            self._queue.end()

    async def wait_closed(self) -> None:
        """Wait until it is."""
        if self._queue is not None:
            await self._queue.wait_closed()

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._queue is None or self._queue.closed

    def _write(self, items: list[tuple[bytes, int]], *, last: bool = False) -> None:
        try:
            for pcm, rate in items:
                self._sink.write(pcm, rate)
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong first is told
                self._sink.close()
            raise
        if last:
            self._sink.close()
