"""A simulated network: the transport's interface without sockets, with all the faults of a real one.

Both ends of a connection are in this process. On simulated time (`run_simulated`) with a given seed every
run is the same, delays and losses included::

    network = MemoryNetwork(seed=1)
    server = network.listen("wss://sip.example.com/ws", accept)
    ua = UA("sip:alice@example.com", sockets=[network.connector("wss://sip.example.com/ws")])

    network.up.delay = 0.05          # 50 ms from client to server
    network.down.duplicate = 0.1     # every tenth message arrives twice
    server.cut()                     # all its connections break
    server.refuse()                  # and nobody gets in any more

`accept` gets the server's end of each connection, a `MemoryConnection`, and sets its `on_message` and
`on_close`.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sipua.errors import ConnectFailed, ConnectTimeout, NotConnected
from sipua.transport.interface import CloseHandler, ConnectionLost, Data, MessageHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.errors import TransportError
    from sipua.transport.interface import Connection, Connector

    Accept = Callable[["MemoryConnection"], None]
    Tap = Callable[["Passed"], None]
    _Item = Data | ConnectionLost | "_Signal"

logger = logging.getLogger("sipua.testing")

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
    fate: Literal["delivered", "lost", "duplicated"]


class MemoryNetwork:
    """A network of servers at made-up URLs.

    `up` (client to server) and `down` (server to client) are the conditions for every connection whose server
    has none of its own. `tap`, if set, is called for each message that is sent. All chance comes from `seed`.
    """

    def __init__(self, *, seed: int | str = 0) -> None:
        self.rand = random.Random(seed)
        self.up = Conditions()
        self.down = Conditions()
        self.tap: Tap | None = None
        self._servers: dict[str, MemoryServer] = {}

    def listen(
        self, url: str, accept: Accept, *, up: Conditions | None = None, down: Conditions | None = None
    ) -> MemoryServer:
        """Put a server at `url`, in the place of one that was there before."""
        server = MemoryServer(self, url, accept, up or self.up, down or self.down)
        self._servers[url] = server
        return server

    def connector(
        self, url: str, *, weight: int = 0, binary: bool = False, connect_timeout: float = 10.0
    ) -> MemoryConnector:
        """What a client connects with; for the `sockets` of a user agent. `connect_timeout` is in seconds."""
        return MemoryConnector(self, url, weight=weight, binary=binary, connect_timeout=connect_timeout)

    def server(self, url: str) -> MemoryServer | None:
        """The server at `url`, if there is one."""
        return self._servers.get(url)

    def pair(
        self,
        url: str = "ws://memory.invalid/",
        on_message: MessageHandler = lambda data: None,
        on_close: CloseHandler = lambda error: None,
    ) -> tuple[MemoryConnection, MemoryConnection]:
        """Two ends of a connection that is up: the client's (with these handlers) and the server's."""
        accepted: list[MemoryConnection] = []
        server = MemoryServer(self, url, accepted.append, self.up, self.down)
        return server.connect(on_message, on_close, binary=False), accepted[0]


class MemoryServer:
    """A server on a `MemoryNetwork`, and the levers to break it with."""

    def __init__(
        self, network: MemoryNetwork, url: str, accept: Accept, up: Conditions, down: Conditions
    ) -> None:
        self.network = network
        self.url = url
        self.up = up
        self.down = down
        self.connections: list[MemoryConnection] = []
        """The server's ends of the connections that are up."""
        self._accept = accept
        self._clients = itertools.count(1)
        self._error: TransportError | None = None
        self._silent = False

    def refuse(self, error: TransportError | None = None) -> None:
        """From now on connecting fails: with `error`, or as when nothing listens there."""
        self._silent = False
        self._error = error or ConnectFailed(self.url, "connection refused")

    def ignore(self) -> None:
        """From now on connecting gets no answer, until the connect time-out."""
        self._silent = True

    def admit(self) -> None:
        """Accept connections again."""
        self._silent = False
        self._error = None

    def cut(self, code: int = 1006, reason: str = "cut") -> None:
        """Break all connections at once, without a closing handshake. What was under way is lost."""
        for connection in list(self.connections):
            connection.cut(code, reason)

    def connect(
        self, on_message: MessageHandler, on_close: CloseHandler, *, binary: bool
    ) -> MemoryConnection:
        """Make a connection now. Returns the client's end."""
        client = MemoryConnection(self, self.url, up=True, binary=binary)
        peer = MemoryConnection(self, f"client {next(self._clients)}", up=False, binary=False)
        client.on_message, client.on_close = on_message, on_close
        client.other, peer.other = peer, client
        self.connections.append(peer)
        self._accept(peer)
        return client

    async def admission(self, timeout: float) -> None:
        """Wait until a client would be connected. Raises what a client gets instead."""
        if self._silent:
            await asyncio.sleep(timeout)
            raise ConnectTimeout(self.url, f"no answer within {timeout:g} s")
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error


class MemoryConnector:
    """Connects to a server of a `MemoryNetwork`: a `sipua.transport.Connector`."""

    def __init__(
        self, network: MemoryNetwork, url: str, *, weight: int, binary: bool, connect_timeout: float
    ) -> None:
        self._network = network
        self.url = url
        self.weight = weight
        self.via_transport = _via_transport(url)
        self.binary = binary
        self.connect_timeout = connect_timeout

    def __repr__(self) -> str:
        return f"MemoryConnector({self.url!r}, weight={self.weight})"

    async def connect(self, on_message: MessageHandler, on_close: CloseHandler) -> MemoryConnection:
        """Connect once. See `Connector.connect`."""
        server = self._network.server(self.url)
        if server is None:
            await asyncio.sleep(0)
            raise ConnectFailed(self.url, "connection refused: there is no such server on this network")
        await server.admission(self.connect_timeout)
        return server.connect(on_message, on_close, binary=self.binary)


class MemoryConnection:
    """One end of a connection in memory: a `sipua.transport.Connection`.

    What is sent arrives at the other end in a later turn of the event loop, in order unless the network's
    conditions say otherwise. ``str`` and UTF-8 ``bytes`` arrive as ``str``, as over a WebSocket.
    """

    other: MemoryConnection

    def __init__(self, server: MemoryServer, peer: str, *, up: bool, binary: bool) -> None:
        self.url = server.url
        self.peer = peer
        self.via_transport = _via_transport(server.url)
        self.on_message: MessageHandler = lambda data: None
        self.on_close: CloseHandler = lambda error: None
        self._loop = asyncio.get_running_loop()
        self.last_received = self._loop.time()
        self._server = server
        self._up = up
        self._binary = binary
        self._open = True
        self._ended = asyncio.Event()
        self._patience: asyncio.TimerHandle | None = None
        self._wire = _Wire(self)

    @property
    def conditions(self) -> Conditions:
        """What happens to messages from here to the other end."""
        return self._server.up if self._up else self._server.down

    def send(self, data: Data) -> None:
        """Queue one message. See `Connection.send`."""
        if not self._open:
            raise NotConnected(self.url, "the connection is closed")
        self._wire.put(_as_frame(data, binary=self._binary))

    def ping(self) -> None:
        """Ask for a sign of life; the other end answers unless the network swallows either."""
        if self._open:
            self._wire.put(_Signal.PING)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Deliver what was sent, then close both ends."""
        if self._open:
            self._open = False
            why = f"closed by the other end ({code}{f': {reason}' if reason else ''})"
            self._wire.put(ConnectionLost(self.url, why, code=code, reason=reason))
            self._patience = self._loop.call_later(self._wire.time_to_close(), self.end, None)
        await self._ended.wait()

    def abort(self, error: TransportError) -> None:
        """Drop the connection at once; the other end notices at once too, unless the network is a black hole."""
        if self._ended.is_set():
            return
        self._open = False
        self._loop.call_soon(self.end, error)
        if not self.conditions.blackhole:
            lost = ConnectionLost(self.url, "connection lost without a closing handshake")
            self._loop.call_soon(self.other.end, lost)

    def cut(self, code: int = 1006, reason: str = "cut") -> None:
        """Break the connection: both ends lose it at once, and what was under way is gone."""
        for end in (self, self.other):
            end.end(ConnectionLost(self.url, f"connection lost: {reason}", code=code, reason=reason))

    # --- what the wire and the other end call -------------------------------------------------------------

    def deliver(self, item: _Item) -> None:
        """Something has arrived: a message, a signal, or the other end's wish to close."""
        if self._ended.is_set():
            return
        if isinstance(item, ConnectionLost):
            self.end(item)
            self.other.end(None)
            return
        self.last_received = self._loop.time()
        if item is _Signal.PING:
            self._wire.put(_Signal.PONG)
        elif isinstance(item, str | bytes):
            try:
                self.on_message(item)
            except Exception:
                logger.exception("%s: a message could not be handled", self.peer)

    def end(self, error: TransportError | None) -> None:
        """The connection is over for this end."""
        if self._ended.is_set():
            return
        self._open = False
        self._ended.set()
        self._wire.clear()
        if self._patience is not None:
            self._patience.cancel()
        if self in self._server.connections:
            self._server.connections.remove(self)
        try:
            self.on_close(error)
        except Exception:
            logger.exception("%s: the end of the connection could not be handled", self.peer)

    def passed(self, data: Data, fate: Literal["delivered", "lost", "duplicated"]) -> None:
        """Tell the network's tap."""
        network = self._server.network
        if network.tap is not None:
            network.tap(Passed(self._loop.time(), self._up, self.url, data, fate))

    @property
    def rand(self) -> random.Random:
        """The network's chance."""
        return self._server.network.rand


class _Signal(enum.Enum):
    PING = "ping"
    PONG = "pong"


class _Wire:
    """The way from one end to the other: a queue ordered by time of arrival."""

    def __init__(self, sender: MemoryConnection) -> None:
        self._sender = sender
        self._loop = asyncio.get_running_loop()
        self._queue: list[tuple[float, int, _Item]] = []
        self._numbers = itertools.count()
        self._last_arrival = 0.0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0

    def put(self, item: _Item) -> None:
        """Send something on its way, or into nowhere."""
        sender, conditions = self._sender, self._sender.conditions
        if not isinstance(item, str | bytes):
            if not conditions.blackhole:
                self._put_at(self._in_order(conditions), item)
            return
        if conditions.loses(item, sender.rand):
            sender.passed(item, "lost")
            return
        twice = chance(conditions.duplicate, sender.rand)
        sender.passed(item, "duplicated" if twice else "delivered")
        for _ in range(2 if twice else 1):
            late = chance(conditions.reorder, sender.rand)
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
        return self._sender.rand.uniform(*delay) if isinstance(delay, tuple) else delay

    def _put_at(self, when: float, item: _Item) -> None:
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
            self._sender.other.deliver(item)


def _as_frame(data: Data, *, binary: bool) -> Data:
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape") if binary else data
    if binary:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _via_transport(url: str) -> str:
    return "WSS" if url.startswith("wss:") else "WS"


if TYPE_CHECKING:
    _connector: Callable[[MemoryConnector], Connector] = lambda connector: connector
    _connection: Callable[[MemoryConnection], Connection] = lambda connection: connection
