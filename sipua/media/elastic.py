"""PCM between two threads with clocks of their own."""

from __future__ import annotations

import threading
from collections import deque

from sipua.media.fades import join
from sipua.media.pcm import SAMPLE_BYTES

__all__ = ["ElasticQueue"]

# Seconds in a queue: what is there before it begins to flow, and the most.
_BEGIN = 0.04
_MOST = 0.2
# Frames of 20 ms over which the least that was in store is looked at.
_REVIEW = 250


class ElasticQueue:
    """PCM at `rate` between two threads that never wait for each other. What is missing or too much makes no click."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._begin = int(rate * _BEGIN) * SAMPLE_BYTES
        self._most = int(rate * _MOST) * SAMPLE_BYTES
        self._flowing = False
        self._takes = 0
        self._least = self._most
        self._gap = b""  # what was dropped right before what comes next
        self._last = b""
        self.dropped = 0
        """Bytes that there was no room for, or that were one too many for long."""
        self.missing = 0
        """Bytes that were not there in time."""

    def put(self, pcm: bytes) -> None:
        """Add some; the oldest go when there is no room."""
        with self._lock:
            self._chunks.append(pcm)
            self._held += len(pcm)
            while self._held > self._most:
                self._drop()

    def take(self, size: int) -> bytes:
        """So many bytes: silence when the other side is late, and then until it has caught up."""
        with self._lock:
            flowed = self._flowing
            pcm = self._cut(size)
            gap, self._gap = self._gap, b""
        if pcm and (gap or not flowed):
            pcm = join(gap if flowed else b"", pcm, self._rate)
        if len(pcm) < size:
            pcm += join(pcm[-SAMPLE_BYTES:] or self._last, bytes(size - len(pcm)), self._rate)
        self._last = pcm[-SAMPLE_BYTES:]
        return pcm

    def _cut(self, size: int) -> bytes:
        if not self._flowing and self._held < max(self._begin, size):
            return b""
        self._flowing = True
        self._review(size)
        parts, got = [], 0
        while got < size and self._chunks:
            chunk = self._chunks.popleft()
            if got + len(chunk) > size:
                self._chunks.appendleft(chunk[size - got :])
                chunk = chunk[: size - got]
            parts.append(chunk)
            got += len(chunk)
        self._held -= got
        if got < size:
            self._flowing = False
            self.missing += size - got
        return b"".join(parts)

    def _review(self, size: int) -> None:
        """When twice of what is needed is in store all the time, one frame goes."""
        self._takes += 1
        self._least = min(self._least, self._held - size)
        if self._takes >= _REVIEW:
            if self._least > self._begin and self._chunks:
                self._drop()
            self._takes, self._least = 0, self._most

    def _drop(self) -> None:
        chunk = self._chunks.popleft()
        self._gap = self._gap or chunk
        self._held -= len(chunk)
        self.dropped += len(chunk)
