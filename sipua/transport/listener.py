"""The server's side of SIP over WebSocket: accepts connections. For the embedded server and for tests."""

from __future__ import annotations

import errno
import logging
import os
import socket
import weakref
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from websockets.asyncio.server import ServerConnection, serve
from websockets.protocol import State
from websockets.typing import Subprotocol

from sipua.errors import ConnectFailed
from sipua.transport.interface import Connection
from sipua.transport.websocket import MAX_SIZE, SUBPROTOCOL
from sipua.transport.ws_connection import DirectServerConnection, WebSocketConnection

if TYPE_CHECKING:
    import ssl

    from websockets.asyncio.server import Server
    from websockets.http11 import Request, Response

Accept: TypeAlias = Callable[[Connection], None]
"""Gets each new connection, and sets its `on_message` and `on_close` before it returns."""


logger = logging.getLogger("sipua.transport.listener")
# At DEBUG the library writes down headers and frames, and with them Authorization.
logger.setLevel(logging.INFO)


class WebSocketListener:
    """Accepts SIP over WebSocket at one address. Clients that do not offer ``sip`` are refused with HTTP 400.

    `port` 0 takes a free one; `url` tells. With `ssl_context` it is wss. `ping_interval` and `ping_timeout`
    (seconds) find clients that have vanished; `max_size` is in bytes.
    """

    def __init__(
        self,
        accept: Accept,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_size: int = MAX_SIZE,
        ping_interval: float | None = 20.0,
        ping_timeout: float | None = 20.0,
        close_timeout: float = 2.0,
    ) -> None:
        self._accept = accept
        self._host = host
        self._ssl = ssl_context
        self._max_size = max_size
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._close_timeout = close_timeout
        self._server: Server | None = None
        self._made: weakref.WeakSet[DirectServerConnection] = weakref.WeakSet()
        self.port = port
        self.via_transport = "WS" if ssl_context is None else "WSS"

    @property
    def url(self) -> str:
        """Where clients connect to, such as ``ws://127.0.0.1:8080/``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self.via_transport.lower()}://{host}:{self.port}/"

    async def start(self) -> None:
        """Begin to listen.

        :raises ConnectFailed: the address cannot be used, for instance because another program listens there.
        """
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self.port,
                ssl=self._ssl,
                process_response=_note_refusal,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_size=self._max_size,
                ping_interval=self._ping_interval,
                ping_timeout=self._ping_timeout,
                close_timeout=self._close_timeout,
                logger=logger,
                create_connection=cast("Any", self._make),
            )
        except OSError as error:
            raise ConnectFailed(self.url, f"cannot listen there: {_why(error)}") from error
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and close all connections with code 1001 (going away)."""
        if self._server is not None:
            self._server.close()
            for ws in tuple(self._made):
                # The library would wait for its request, 10 s; behind TLS that is not up there is no transport yet.
                if ws.state is State.CONNECTING and hasattr(ws, "transport"):
                    ws.transport.abort()
            await self._server.wait_closed()

    async def __aenter__(self) -> WebSocketListener:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    def _make(self, *args: Any, **kwargs: Any) -> DirectServerConnection:
        ws = DirectServerConnection(*args, **kwargs)
        self._made.add(ws)
        return ws

    async def _serve(self, ws: ServerConnection) -> None:
        assert isinstance(ws, DirectServerConnection)
        connection = WebSocketConnection(
            ws,
            url=self.url,
            peer=_address(ws),
            via_transport=self.via_transport,
            on_message=lambda data: None,
            on_close=lambda error: None,
        )
        self._accept(connection)
        await ws.wait_closed()


def _note_refusal(ws: ServerConnection, _request: Request, response: Response) -> None:
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        reason = response.body.decode("utf-8", "replace").strip().replace("\n", " ")
        logger.warning("%s: refused with HTTP %d: %s", _address(ws), response.status_code, reason)


def _address(ws: ServerConnection) -> str:
    address = ws.remote_address
    return f"{address[0]}:{address[1]}" if address else "?"


def _why(error: OSError) -> str:
    """In the system's words alone: asyncio puts the address before them once more."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    taken = "; take another port, or end what listens there" if error.errno == errno.EADDRINUSE else ""
    return f"{os.strerror(error.errno)}{taken}"
