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
import itertools
import logging
import random
from typing import TYPE_CHECKING

from sipua.errors import ConnectFailed, ConnectionLost, ConnectTimeout, NotConnected
from sipua.testing.wire import Conditions, Fate, Item, Passed, Signal, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.errors import TransportError
    from sipua.transport.interface import CloseHandler, Connection, Connector, Data, MessageHandler

    Accept = Callable[["MemoryConnection"], None]
    Tap = Callable[["Passed"], None]

logger = logging.getLogger("sipua.testing")


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
        server = MemoryServer(self, url, accept, up, down)
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
        server = MemoryServer(self, url, accepted.append)
        return server.connect(on_message, on_close, binary=False), accepted[0]


class MemoryServer:
    """A server on a `MemoryNetwork`, and the levers to break it with.

    `up` and `down` are the conditions of its own connections; None leaves them to the network.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        url: str,
        accept: Accept,
        up: Conditions | None = None,
        down: Conditions | None = None,
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
        self._wire = Wire(self)

    @property
    def conditions(self) -> Conditions:
        """What happens to messages from here to the other end."""
        server = self._server
        return (server.up or server.network.up) if self._up else (server.down or server.network.down)

    def send(self, data: Data) -> None:
        """Queue one message. See `Connection.send`."""
        if not self._open:
            raise NotConnected(self.url, "the connection is closed")
        self._wire.put(_as_frame(data, binary=self._binary))

    def ping(self) -> None:
        """Ask for a sign of life; the other end answers unless the network swallows either."""
        if self._open:
            self._wire.put(Signal.PING)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Deliver what was sent, then close both ends."""
        if self._open:
            self._open = False
            why = f"closed by the other end ({code}{f': {reason}' if reason else ''})"
            self._wire.put(ConnectionLost(self.url, why, code=code, reason=reason))
            self._patience = self._loop.call_later(self._wire.time_to_close(), self.end, None)
        await self._ended.wait()

    def abort(self, error: TransportError) -> None:
        """Drop the connection at once. The other end notices too, unless the network is a black hole."""
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

    def deliver(self, item: Item) -> None:
        """Something has arrived: a message, a signal, or the other end's wish to close."""
        if self._ended.is_set():
            return
        if isinstance(item, ConnectionLost):
            self.end(item)
            self.other.end(None)
            return
        self.last_received = self._loop.time()
        if item is Signal.PING:
            self._wire.put(Signal.PONG)
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

    def passed(self, data: Data, fate: Fate) -> None:
        """Tell the network's tap."""
        network = self._server.network
        if network.tap is not None:
            network.tap(Passed(self._loop.time(), self._up, self.url, data, fate))

    @property
    def rand(self) -> random.Random:
        """The network's chance."""
        return self._server.network.rand


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

    def _conform(connector: MemoryConnector, connection: MemoryConnection) -> tuple[Connector, Connection]:
        return connector, connection
