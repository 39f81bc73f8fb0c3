"""An event loop with real sockets on simulated time, for calls between two ends in this process.

What is sent over loopback is there at once. So time stands still as long as anything is to be read or a thread works,
and then goes on to the next timer: however busy the machine is, every packet comes in time.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

# Seconds of real time to wait at once for a thread.
_THREAD = 0.05


class _Selector(selectors.DefaultSelector):
    """Never waits for the network, but for threads; tells how much time the loop wanted to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(_THREAD if self.threads and timeout != 0 else 0)
        if not events and not self.threads:
            if timeout is None:
                raise RuntimeError("nothing is scheduled and nothing can come any more")
            self.passed += max(0.0, timeout)
        return events


class LoopbackLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.passed

    def run_in_executor(self, *args: Any) -> Any:
        future = super().run_in_executor(*args)
        self._waiting.threads += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        self._waiting.threads += 1
        await super().shutdown_default_executor()


def run_on_loopback(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`."""
    with asyncio.Runner(loop_factory=LoopbackLoop) as runner:
        return runner.run(main)
