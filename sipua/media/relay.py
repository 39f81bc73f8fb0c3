"""The TURN server of a path, asked whether it still has our address when nothing comes through it.

One that was restarted knows nothing of us, and tells nobody; without a question, aioice finds out when it refreshes the
allocation, minutes later. Silence alone says nothing: it may be the peer's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua.media import internals

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Relay"]

#: Seconds from one question to the next, while there is silence.
_INTERVAL = 5.0


class Relay:
    """An allocation (:rfc:`8656`) that a path goes through."""

    def __init__(self, transport: Any, clock: Callable[[], float]) -> None:
        self.is_lost = False
        """Whether the server has said that there is no such allocation, or the connection to it is gone."""
        self._transport = transport
        self._clock = clock
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Ask the server; does nothing while it is asked, or was a moment ago."""
        recently = self._asked_at is not None and self._clock() - self._asked_at < _INTERVAL
        if self.is_lost or recently or (self._asking is not None and not self._asking.done()):
            return
        self._asked_at = self._clock()
        self._asking = asyncio.get_running_loop().create_task(self._ask(), name="sipua relay")

    async def _ask(self) -> None:
        self.is_lost = await internals.allocation_is_lost(self._transport)

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
