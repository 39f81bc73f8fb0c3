"""Whether to wait for the packet after a lost one, because it carries the lost one, too (:rfc:`6716#section-2.1.7`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.pcm import FRAME_DURATION

if TYPE_CHECKING:
    from sipua.media.engine.delay import DelayEstimator

__all__ = ["Patience"]

# So many losses in so many seconds are worth a longer delay, as long as it goes on.
_OFTEN, _MEMORY = 3, 10.0
# After so many packets more that carried nothing than did, it is not tried again for a while.
_FRUITLESS, _REST = 3, 30.0


class Patience:
    """Has `delays` reserve 20 ms while packets get lost that might be recovered then."""

    def __init__(self, delays: DelayEstimator) -> None:
        self._delays = delays
        self._missed: list[float] = []
        self._balance = 0
        self._resting_until = 0.0

    def missed(self, now: float) -> None:
        """A packet was lost, and its successor was not here in time to recover it."""
        self._missed = [*(then for then in self._missed if then > now - _MEMORY), now]
        if len(self._missed) >= _OFTEN and now >= self._resting_until:
            self._delays.reserve(FRAME_DURATION, now + _MEMORY)

    def tried(self, recovered: bool, now: float) -> None:
        """A lost packet's successor was here, and carried it or not."""
        if recovered:
            self._balance = min(self._balance + 1, _FRUITLESS)
            self._missed = [now] * _OFTEN if self._missed else []
            if self._missed and now >= self._resting_until:
                self._delays.reserve(FRAME_DURATION, now + _MEMORY)
            return
        self._balance -= 1
        if self._balance <= -_FRUITLESS:
            self._balance = 0
            self._resting_until = now + _REST
            self._missed = []
            self._delays.reserve(0.0, now)
