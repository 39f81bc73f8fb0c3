"""Named timers of one object, set and cleared together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class TimerBox:
    """Alarms by name; setting one anew moves it. Delays are in seconds."""

    __slots__ = ("_handles", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._handles

    def set(self, name: str, delay: float, action: Callable[[], object]) -> None:
        """Call `action` after `delay`."""
        self.clear(name)

        def ring() -> None:
            self._handles.pop(name, None)
            action()

        self._handles[name] = self._loop.call_later(max(delay, 0.0), ring)

    def clear(self, *names: str) -> None:
        """Call it off."""
        for name in names:
            if (handle := self._handles.pop(name, None)) is not None:
                handle.cancel()

    def clear_all(self) -> None:
        """Call everything off."""
        self.clear(*tuple(self._handles))
