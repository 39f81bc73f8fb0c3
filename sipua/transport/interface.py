"""What the user agent needs of a transport: something that connects, and the connection that it gives.

`sipua.transport.WebSocketInterface` and `sipua.testing.MemoryConnector` are the two that exist. A third one
has to offer what these protocols say and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from sipua.errors import TransportError

Data: TypeAlias = str | bytes
"""One SIP message, or a keep-alive, as it is on the wire: text frames give ``str``, binary ones ``bytes``."""

MessageHandler: TypeAlias = Callable[[Data], None]
"""Gets each message that arrives. It must not block; what it raises is logged and goes no further."""

CloseHandler: TypeAlias = Callable[[TransportError | None], None]
"""Called once when the connection has ended: with None after `Connection.close`, else with the reason."""

PING = "\r\n\r\n"
"""The keep-alive request of :rfc:`5626#section-3.5.1`."""
PONG = "\r\n"
"""The answer to `PING`."""


class Connection(Protocol):
    """A connection that is up. Both ends of one have this interface."""

    on_message: MessageHandler
    on_close: CloseHandler

    @property
    def url(self) -> str:
        """The server's address, without user name and password."""

    @property
    def peer(self) -> str:
        """Who is at the other end, for logs: the URL of a server, the network address of a client."""

    @property
    def via_transport(self) -> str:
        """The transport for Via headers: ``"WS"`` or ``"WSS"`` (:rfc:`7118#section-5.1`)."""

    @property
    def last_received(self) -> float:
        """When something, whatever it was, last came from the peer: seconds of ``loop.time()``."""

    def send(self, data: Data) -> None:
        """Queue one message; it leaves in this turn of the event loop when the network takes it.

        :raises NotConnected: the connection is closed or closing, or the peer takes nothing any more.
        """

    def ping(self) -> None:
        """Ask the peer for a sign of life below SIP, where the connection has such a thing. Never raises."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is queued, close, and wait for that, but not for long. May be called again."""

    def abort(self, error: TransportError) -> None:
        """Drop the connection at once, without closing handshake; `error` goes to `on_close`."""


@runtime_checkable
class Connector(Protocol):
    """A server that can be connected to."""

    @property
    def url(self) -> str:
        """The server's address, without user name and password."""

    @property
    def weight(self) -> int:
        """Servers of a higher weight are tried first."""

    @property
    def via_transport(self) -> str:
        """The transport for Via headers: ``"WS"`` or ``"WSS"`` (:rfc:`7118#section-5.1`)."""

    async def connect(self, on_message: MessageHandler, on_close: CloseHandler) -> Connection:
        """Connect once. Neither handler is called before this returns.

        :raises TransportError: it did not work; the text says what and what to do about it.
        """
