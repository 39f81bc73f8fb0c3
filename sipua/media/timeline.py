"""Where time is missing in a stream that a clock pushes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timeline"]

# What is late by less than this, in seconds, is made up for; what is missing beyond is a hole.
_SLACK = 0.15


class Timeline:
    """Compares the length of what came with the time that has passed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: float | None = None

    def restart(self) -> None:
        """Count from the next piece on."""
        self._until = None

    def step(self, seconds: float) -> float:
        """A piece so long has come now. Returns the seconds of silence that belong before it."""
        now = self._clock()
        if self._until is None:
            self._until = now
        hole = now - self._until
        if hole > _SLACK:
            self._until = now
        else:
            hole = 0.0
        self._until += seconds
        return hole
