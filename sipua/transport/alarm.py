"""The one timer of whoever drives something that has deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Alarm:
    """Calls `ring` when the next deadline has come, on the event loop's clock.

    A deadline that moves away does not move the timer, for most do, and soon: it rings early at worst, finds nothing to
    do, and is set anew.
    """

    __slots__ = ("_loop", "_ring", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, deadline: float | None) -> None:
        """This is the next deadline now; None: there is none."""
        timer = self._timer
        if timer is not None:
            if deadline is not None and timer.when() <= deadline:
                return
            self.cancel()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._rings)

    def cancel(self) -> None:
        """It does not ring any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
