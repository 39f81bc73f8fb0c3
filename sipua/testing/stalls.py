"""Did the machine keep up? For tests of real media: what a process sends while it does not run comes late.

Audio is sent every 20 ms. When a process is kept from running for longer than the buffers on the way hold, there
is a gap in what is heard, and no program is to blame. A test that measures sound says so, and measures again::

    async def call() -> Path: ...                # with real media; returns what was recorded

    def check(recording: Path) -> None:
        assert correlate(SPEECH, recording).correlation > 0.95

    await steady(call, check)
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["STALL", "StallWatch", "calm", "steady"]

logger = logging.getLogger("sipua.testing")

T = TypeVar("T")

#: Seconds without running that can be heard.
STALL = 0.06

# Seconds between two looks.
_TICK = 0.01


class StallWatch:
    """Measures, while it is entered, for how long the event loop could not run; `longest` is in seconds.

    :param pids: other processes that take part: of each, the time that its main thread was ready to run and did
        not is counted too, where the kernel tells it (Linux).
    """

    def __init__(self, *pids: int) -> None:
        self.longest = 0.0
        self._pids = pids
        self._clock: Callable[[], float] = time.monotonic
        self._last = 0.0
        self._waited: dict[int, float] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def stalled(self) -> bool:
        """Whether there was a stall that can be heard."""
        return self.longest > STALL

    async def __aenter__(self) -> Self:
        self._clock = asyncio.get_running_loop().time
        self._last = self._clock()
        self._waited = {pid: _waited(pid) for pid in self._pids}
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="sipua stall watch")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._look()
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._look()

    def _look(self) -> None:
        now = self._clock()
        waits = [now - self._last - _TICK]
        for pid, before in self._waited.items():
            self._waited[pid] = _waited(pid)
            waits.append(self._waited[pid] - before)
        self.longest = max(self.longest, *waits)
        self._last = self._clock()


async def calm(*, within: float = 10.0) -> None:
    """Wait until the event loop has run well for a second, but no longer than `within` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while loop.time() < deadline:
        async with StallWatch() as watch:
            await asyncio.sleep(1.0)
        if watch.longest < STALL / 2:
            return


def _waited(pid: int) -> float:
    """Seconds that the main thread of a process has waited for a processor; 0.0 where nobody knows."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


async def steady(
    measure: Callable[[], Awaitable[T]],
    check: Callable[[T], object] = lambda result: None,
    *,
    tries: int = 3,
) -> T:
    """Measure, and check what was measured; again when that failed and the event loop had stalled meanwhile.

    Before another try it waits for the machine to calm down, 10 s at most.

    :param measure: may assert, too. It is to begin from nothing each time.
    :param check: raises AssertionError for what is not good; it may take its time.
    :raises AssertionError: that of a try without a stall, or of the last one.
    """
    for left in reversed(range(tries)):
        watch = StallWatch()
        try:
            async with watch:
                result = await measure()
            check(result)
        except AssertionError as error:
            if not (left and watch.stalled):
                raise
            logger.warning("stalled for %.0f ms, once more after: %s", watch.longest * 1000, error)
            await calm()
        else:
            return result
    raise ValueError("tries must be at least 1")
