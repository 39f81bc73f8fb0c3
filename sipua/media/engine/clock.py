"""The clock that every call of an event loop is driven by: one timer, whatever the number of calls.

Every 20 ms there is a tick, and in each tick three phases, one after the other for all calls: what the peers said
is taken in, conferences mix, and what the peers shall hear goes out. So a frame that is heard in a tick can leave
in the same tick, and no call needs a task or a timer of its own.

Ticks are due at fixed times counted from the first, so that nothing drifts. When the loop was held up, they are
made up for a quarter of a tick apart: no burst of packets leaves. What is late by more than `MAX_CATCH_UP` is
left out, and those who keep time stamps are told how many ticks that were.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import weakref
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["MAX_CATCH_UP", "TICK", "AudioClock", "Phase", "Subscriber"]

logger = logging.getLogger(__name__)

#: Seconds between two ticks: one packet's worth of audio.
TICK = 0.02
#: Seconds that the clock may be behind and still make up for.
MAX_CATCH_UP = 0.1
_HASTE = TICK / 4
# Seconds of audio that are missing within so many seconds before a warning, and between two of these.
_MANY_GAPS, _SPAN, _SILENT = 1.0, 10.0, 60.0

Subscriber: TypeAlias = Callable[[float, int], None]
"""Called with the time of the loop, and the number of ticks that were left out before this one."""


class Phase(enum.IntEnum):
    """The parts of a tick, in their order."""

    RECEIVE = 0
    MIX = 1
    SEND = 2


class AudioClock:
    """Calls its subscribers in each tick; it stands still while there are none.

    Within a phase they are called in the order in which they were added. An exception is logged once per
    subscriber and disturbs nobody else.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._phases: dict[Phase, dict[Subscriber, None]] = {phase: {} for phase in Phase}
        self._rounds: dict[Phase, tuple[Subscriber, ...]] = dict.fromkeys(Phase, ())
        self._changed = False
        self._timer: asyncio.TimerHandle | None = None
        self._inside = False
        self._origin = 0.0
        self._count = 0
        self._complained: set[Subscriber] = set()
        self._gaps, self._gaps_since = 0, float("-inf")
        self._silent_until = float("-inf")
        self.missed = 0
        """Ticks left out so far because the loop was held up."""

    @classmethod
    def running(cls) -> AudioClock:
        """That of the running event loop."""
        loop = asyncio.get_running_loop()
        known = _clocks.get(loop)
        clock = known() if known is not None else None
        if clock is None:
            clock = cls(loop)
            _clocks[loop] = weakref.ref(clock)
        return clock

    @property
    def due(self) -> float:
        """When the present tick, or between two of them the next one, was or is to be: the time of the loop."""
        return self._origin + self._count * TICK

    @property
    def ticking(self) -> bool:
        """Whether there is anybody to call."""
        return self._timer is not None or self._inside

    def add(self, phase: Phase, subscriber: Subscriber) -> None:
        """Call `subscriber` in this phase from the next tick on, or from this one if its phase is still to come."""
        self._phases[phase][subscriber] = None
        self._changed = True
        if self._timer is None and not self._inside:
            loop = self._loop
            self._origin, self._count = loop.time(), 0
            self._timer = loop.call_at(self._origin, self._tick)

    def remove(self, phase: Phase, subscriber: Subscriber) -> None:
        """Never call it again, not even in the present tick."""
        if subscriber not in self._phases[phase]:
            return
        del self._phases[phase][subscriber]
        self._complained.discard(subscriber)
        self._changed = True
        if self._timer is not None and not any(self._phases.values()):
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = self._loop
        now = loop.time()
        if self._count == 0:
            # Nothing has been late yet.
            self._origin = now
        missed = 0
        behind = now - self.due
        if behind > MAX_CATCH_UP:
            missed = int(behind / TICK)
            self._count += missed
            self.missed += missed
        self._timer, self._inside = None, True
        try:
            for phase in Phase:
                self._run(phase, now, missed)
        finally:
            # Also when the program is being ended: those who say good-bye need the clock still.
            self._inside = False
            if any(self._phases.values()):
                self._count += 1
                self._timer = loop.call_at(max(self.due, now + _HASTE), self._tick)
        if missed:
            self._note(now, missed)

    def _note(self, now: float, missed: int) -> None:
        """Tell who wonders why nothing sounds right, when it is no single mishap."""
        if now - self._gaps_since > _SPAN:
            self._gaps_since, self._gaps = now, 0
        self._gaps += missed
        if self._gaps * TICK >= _MANY_GAPS and now >= self._silent_until:
            self._silent_until = now + _SILENT
            logger.warning(
                "the event loop is held up: %.1f s are missing in the audio of all calls; "
                "does a source, a sink or a handler block?",
                self._gaps * TICK,
            )

    def _run(self, phase: Phase, now: float, missed: int) -> None:
        if self._changed:
            self._changed = False
            self._rounds = {phase: tuple(members) for phase, members in self._phases.items()}
        members = self._phases[phase]
        for subscriber in self._rounds[phase]:
            if self._changed and subscriber not in members:
                continue
            try:
                subscriber(now, missed)
            except (Exception, asyncio.CancelledError):
                if subscriber not in self._complained:
                    self._complained.add(subscriber)
                    logger.exception("%r failed in the audio clock", subscriber)


# Weak both ways, as a clock holds its loop. While a clock has somebody to call, its loop holds it.
_clocks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[AudioClock]]
_clocks = weakref.WeakKeyDictionary()
