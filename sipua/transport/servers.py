"""Which server to try next, and after what pause. Plain data: no clock, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from sipua.transport.interface import Connector

# Bounds the exponent, so that months of failures do not overflow.
MAX_DOUBLINGS = 32


class Recovery:
    """Chooses among servers, and the pauses between tries, in seconds.

    Servers are tried in rounds: the highest weight first, at random among equals, each once a round and
    without a pause between them. When all have failed there is a pause before the next round. The n-th
    pause in a row is drawn evenly between `minimum` and the lesser of `maximum` and minimum·2ⁿ, so that
    many clients which lost the same server do not come back in step.

    - The loss of a connection that had been up for at least `minimum` begins a new round, in which that
      server comes last. When it is the only one, it is tried again within minimum/2.
    - When every server refuses for a reason that lasts until a person changes something, such as a
      certificate, the pause is `maximum` (drawn between 80 % and 100 % of it).
    """

    def __init__(
        self, servers: Sequence[Connector], minimum: float, maximum: float, rand: random.Random
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self._servers = tuple(servers)
        self._rand = rand
        self._pauses = 0
        # The servers that failed in this round, by position: each with whether the reason lasts.
        self._failed: dict[int, bool] = {}
        self._prompt = False

    def next(self) -> tuple[float, Connector]:
        """The pause to make and the server to try then."""
        pause = 0.0
        if len(self._failed) == len(self._servers):
            pause = self._pause()
            self._failed.clear()
        left = [server for i, server in enumerate(self._servers) if i not in self._failed]
        best = max(server.weight for server in left)
        return pause, self._rand.choice([server for server in left if server.weight == best])

    def failed(self, server: Connector, *, lasting: bool = False) -> None:
        """A try has failed; `lasting`: it would fail again until a person changes something."""
        self._failed[self._servers.index(server)] = lasting
        self._prompt = False

    def lost(self, server: Connector, up_for: float) -> None:
        """A connection has ended that had been up for so many seconds."""
        if up_for < self.minimum:
            # Servers that accept and hang up at once would otherwise be tried without end or pause.
            self.failed(server)
            return
        self._failed = {self._servers.index(server): False}
        self._pauses = 0
        self._prompt = True

    def _pause(self) -> float:
        if self._prompt:
            return self._rand.uniform(0.0, self.minimum / 2)
        if all(self._failed.values()):
            return self._rand.uniform(0.8, 1.0) * self.maximum
        self._pauses = min(self._pauses + 1, MAX_DOUBLINGS)
        return self._rand.uniform(self.minimum, min(self.maximum, self.minimum * 2.0**self._pauses))
