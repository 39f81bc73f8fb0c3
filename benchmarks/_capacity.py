"""How many calls one core carries in time: calls are added until their packets leave late."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["IN_TIME_MS", "Load", "find"]

#: A packet is in time when it leaves before the next one is due.
IN_TIME_MS = 20.0
# In each step so many more calls.
GROWTH = 1.12
# Seconds after which the connections are up and the delays have settled.
SETTLING = 4.0
# What is late once may be the machine; what is late so often is too much.
TRIES = 2


@dataclass
class Load:
    """What so many calls took of the core, and how late 99 % of their packets left at most."""

    calls: int
    core: float
    late_p99_ms: float
    heard: float
    """Of what was sent, 0 to 1."""

    @property
    def in_time(self) -> bool:
        return self.late_p99_ms < IN_TIME_MS and self.heard > 0.985


async def find(
    open_calls: Callable[[int], Awaitable[None]],
    load: Callable[[int], Awaitable[Load]],
    start: int,
    budget: float,
    settling: float = SETTLING,
) -> dict[str, float]:
    """Open `start` calls, then more and more, until they are late, or `budget` seconds have passed.

    `open_calls` opens so many more; `load` measures with that many there. Returns the greatest load that was in
    time, with ``late`` the number of calls that was too much, 0 when there was no time to find it.
    """
    began, calls, best, late = time.monotonic(), 0, Load(0, 0.0, 0.0, 1.0), 0
    wanted = start
    while time.monotonic() - began < budget:
        await open_calls(wanted - calls)
        calls = wanted
        for _ in range(TRIES):
            await asyncio.sleep(settling)
            found = await load(calls)
            if found.in_time:
                break
        if not found.in_time:
            late = calls
            break
        best = found
        wanted = max(calls + 2, round(calls * GROWTH))
    return {**asdict(best), "late": late}
