"""The way of messages from one end of a simulated connection to the other, and what can happen to them there."""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from sipua.errors import ConnectionLost
from sipua.transport.interface import Data

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Fate: TypeAlias = Literal["delivered", "lost", "duplicated"]

# Seconds that a closing end waits for the other one, when the network swallows its wish.
CLOSE_TIMEOUT = 2.0


@dataclass
class Conditions:
    """What happens to messages that go one way. May be changed at any time; probabilities are 0 to 1."""

    delay: float | tuple[float, float] = 0.0
    """Seconds that a message takes, or the limits between which that is drawn. Alone it keeps the order."""
    drop: float = 0.0
    """Probability that a message is lost."""
    duplicate: float = 0.0
    """Probability that a message arrives twice."""
    reorder: float = 0.0
    """Probability that a message is held up for `reorder_delay` while later ones overtake it."""
    reorder_delay: float = 0.1
    """Seconds."""
    blackhole: bool = False
    """Nothing arrives any more, and nobody is told: a dead router in between."""
    keep: Callable[[Data], bool] | None = None
    """Asked for each message; those for which it says False are lost."""
    _to_lose: list[_Loss] = field(default_factory=list, init=False, repr=False)

    def lose_next(self, count: int = 1, containing: str = "") -> None:
        """Lose the next `count` messages that contain this text, such as ``"CSeq: 1 ACK"``."""
        self._to_lose.append(_Loss(count, containing))

    def loses(self, data: Data, rand: random.Random) -> bool:
        """Whether this message is lost."""
        if self.blackhole or (self.keep is not None and not self.keep(data)) or chance(self.drop, rand):
            return True
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        for loss in self._to_lose:
            if loss.containing in text:
                loss.count -= 1
                if loss.count == 0:
                    self._to_lose.remove(loss)
                return True
        return False


@dataclass
class _Loss:
    count: int
    containing: str


def chance(probability: float, rand: random.Random) -> bool:
    """True with this probability. Draws nothing when there is nothing to draw."""
    return probability > 0 and rand.random() < probability


@dataclass(frozen=True, slots=True)
class Passed:
    """One message that was sent, for `MemoryNetwork.tap`."""

    time: float
    """Seconds of ``loop.time()`` at sending."""
    up: bool
    """True from client to server."""
    url: str
    data: Data
    fate: Fate


class Signal(enum.Enum):
    """What passes beside messages, like the ping and pong of WebSocket."""

    PING = "ping"
    PONG = "pong"


Item: TypeAlias = Data | ConnectionLost | Signal
"""What can be under way: a message, a signal, or the wish to close."""


class Receiver(Protocol):
    """The end that things arrive at."""

    def deliver(self, item: Item) -> None:
        """Something has arrived."""


class End(Protocol):
    """The end that things are sent from, as far as the wire has to know it."""

    @property
    def conditions(self) -> Conditions:
        """What happens to messages from here to the other end."""

    @property
    def rand(self) -> random.Random:
        """Where chance comes from."""

    @property
    def other(self) -> Receiver:
        """The other end."""

    def passed(self, data: Data, fate: Fate) -> None:
        """A message was sent, and this becomes of it."""


class Wire:
    """The way from one end to the other: a queue ordered by time of arrival."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._queue: list[tuple[float, int, Item]] = []
        self._numbers = itertools.count()
        self._last_arrival = 0.0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0

    def put(self, item: Item) -> None:
        """Send something on its way, or into nowhere."""
        end, conditions = self._end, self._end.conditions
        if not isinstance(item, str | bytes):
            if not conditions.blackhole:
                self._put_at(self._in_order(conditions), item)
            return
        if conditions.loses(item, end.rand):
            end.passed(item, "lost")
            return
        twice = chance(conditions.duplicate, end.rand)
        end.passed(item, "duplicated" if twice else "delivered")
        for _ in range(2 if twice else 1):
            late = chance(conditions.reorder, end.rand)
            self._put_at(self._overtaken(conditions) if late else self._in_order(conditions), item)

    def time_to_close(self) -> float:
        """How long the closing end waits for the other one to hear of it."""
        return max(self._last_arrival - self._loop.time(), 0.0) + CLOSE_TIMEOUT

    def clear(self) -> None:
        """Lose what is under way."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _in_order(self, conditions: Conditions) -> float:
        self._last_arrival = max(self._last_arrival, self._loop.time() + self._delay(conditions))
        return self._last_arrival

    def _overtaken(self, conditions: Conditions) -> float:
        return self._loop.time() + self._delay(conditions) + conditions.reorder_delay

    def _delay(self, conditions: Conditions) -> float:
        delay = conditions.delay
        return self._end.rand.uniform(*delay) if isinstance(delay, tuple) else delay

    def _put_at(self, when: float, item: Item) -> None:
        heapq.heappush(self._queue, (when, next(self._numbers), item))
        if self._timer is None:
            self._wait()
        elif when < self._due:
            self._timer.cancel()
            self._wait()

    def _wait(self) -> None:
        self._due = self._queue[0][0]
        if self._due <= self._loop.time():
            self._timer = self._loop.call_soon(self._deliver)
        else:
            self._timer = self._loop.call_at(self._due, self._deliver)

    def _deliver(self) -> None:
        # What arrives now is fixed before anything is handed over: the receiver may send, or close.
        now, arrived = self._loop.time(), []
        while self._queue and self._queue[0][0] <= now:
            arrived.append(heapq.heappop(self._queue)[2])
        self._timer = None
        if self._queue:
            self._wait()
        for item in arrived:
            self._end.other.deliver(item)
