"""SIP's timer values, and a heap of deadlines for code that is given the time instead of asking for it.

All times are seconds on one monotonic scale of the caller's choice (an event loop's, or a test's own).
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

__all__ = ["Deadline", "Deadlines", "Timers"]


@dataclass(frozen=True, slots=True)
class Timers:
    """The base values of :rfc:`3261#section-17.1.1.1`, in seconds; everything else follows from them.

    `t1` estimates the round trip, `t2` is the longest interval between retransmissions, `t4` the longest a
    message stays in the network. `trying` is how long a server waits before it answers an INVITE with 100
    by itself (:rfc:`3261#section-17.2.1`).
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    trying: float = 0.2

    def __post_init__(self) -> None:
        if not (0 < self.t1 <= self.t2 and self.t4 > 0 and self.trying > 0):
            raise ValueError(f"timers must be positive, and t2 not below t1: {self}")

    @property
    def timeout(self) -> float:
        """64*T1: timers B, D, F, H, J, L and M (32 s by default)."""
        return 64 * self.t1

    @property
    def late_trying(self) -> float:
        """When a server must have answered a non-INVITE with something (:rfc:`4320#section-4.1`).

        It is the time a client takes until its timer E has grown to T2.
        """
        elapsed = interval = self.t1
        while interval * 2 < self.t2:
            interval *= 2
            elapsed += interval
        return elapsed


OwnerT = TypeVar("OwnerT")


class Deadline(Generic[OwnerT]):
    """One entry of `Deadlines`. Cancelled by `Deadlines.cancel`, and then holds nothing any more."""

    __slots__ = ("name", "owner", "when")

    def __init__(self, when: float, owner: OwnerT | None, name: str) -> None:
        self.when = when
        self.owner = owner
        self.name = name


class Deadlines(Generic[OwnerT]):
    """A heap of deadlines. Cancelling is a store; the dead are swept out when they are an eighth of all.

    Equal times fire in the order in which they were started.
    """

    __slots__ = ("_dead", "_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deadline[OwnerT]]] = []
        self._serial = 0
        self._dead = 0

    def __len__(self) -> int:
        """How many deadlines are running."""
        return len(self._heap) - self._dead

    def start(self, when: float, owner: OwnerT, name: str) -> Deadline[OwnerT]:
        """Start a deadline at the absolute time `when`."""
        deadline = Deadline(when, owner, name)
        self._serial = serial = self._serial + 1
        heappush(self._heap, (when, serial, deadline))
        return deadline

    def cancel(self, deadline: Deadline[OwnerT]) -> None:
        """Stop a deadline. One that fired or was stopped before is left alone."""
        if deadline.owner is None:
            return
        deadline.owner = None
        self._dead = dead = self._dead + 1
        if dead > 64 and dead * 8 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].owner is not None]
            heapify(self._heap)
            self._dead = 0

    def next(self) -> float | None:
        """The time of the earliest running deadline."""
        heap = self._heap
        while heap and heap[0][2].owner is None:
            heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def pop(self, now: float) -> tuple[OwnerT, str] | None:
        """Take the earliest deadline that is not after `now`: its owner and name."""
        heap = self._heap
        while heap:
            when, _, deadline = heap[0]
            owner = deadline.owner
            if owner is None:
                heappop(heap)
                self._dead -= 1
                continue
            if when > now:
                return None
            heappop(heap)
            deadline.owner = None
            return owner, deadline.name
        return None
