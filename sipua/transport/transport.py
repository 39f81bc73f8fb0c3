"""The way to the SIP servers: one connection at a time, kept up."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any

from sipua.errors import (
    CertificateError,
    ConfigurationError,
    ConnectionLost,
    NotConnected,
    SubprotocolError,
    TransportError,
)
from sipua.transport.interface import PING, PONG
from sipua.transport.keepalive import KeepAlive
from sipua.transport.servers import Recovery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sipua.transport.interface import Connection, Connector, Data, MessageHandler

logger = logging.getLogger("sipua.transport")

# Trying again soon does not help against these: somebody has to change a setting, here or there.
LASTING_ERRORS = (CertificateError, SubprotocolError)

# What a keep-alive is answered with: in a frame of the kind that it came in.
ANSWERS: dict[Data, Data] = {PING: PONG, PING.encode(): PONG.encode()}


class Transport:
    """Keeps one connection to one of several servers, and finds another way when it breaks.

    Of the servers, the one of the highest weight is tried first, at random among equals. When it fails, the
    next is tried at once; only after all of them comes a pause: random, growing from
    `recovery_min_interval` towards `recovery_max_interval`. A connection that had been up for a while is
    replaced promptly; servers that refuse for a lasting reason (certificate, sub-protocol) are tried again
    at the slowest pace. `keep_alive_interval` and `pong_timeout` are those of `KeepAlive`. All times are in
    seconds, on the event loop's clock.

    The callbacks are attributes to set, plain functions that are called in the event loop; what they raise is
    logged:

    - ``on_connecting(url, attempt)``: a server is being tried; `attempt` counts from 1 since the last
      success.
    - ``on_connected(url)``: from here on `send` works.
    - ``on_disconnected(url, error)``: a try failed, or the connection ended; `error` is None after `stop`.
    - ``on_message(data)``: a message came. Keep-alives are answered here and not passed on.

    :raises ConfigurationError: no server, or intervals that make no sense.
    """

    def __init__(
        self,
        connectors: Sequence[Connector],
        *,
        recovery_min_interval: float = 2.0,
        recovery_max_interval: float = 30.0,
        keep_alive_interval: float | None = 25.0,
        pong_timeout: float = 10.0,
        rand: random.Random | None = None,
    ) -> None:
        if not connectors:
            raise ConfigurationError("connectors", connectors, "at least one server is needed")
        if not 0 < recovery_min_interval <= recovery_max_interval:
            limits = (recovery_min_interval, recovery_max_interval)
            raise ConfigurationError(
                "recovery intervals", limits, "they must be positive, the first not greater"
            )
        self.on_connecting: Callable[[str, int], None] = lambda url, attempt: None
        self.on_connected: Callable[[str], None] = lambda url: None
        self.on_disconnected: Callable[[str, TransportError | None], None] = lambda url, error: None
        self.on_message: MessageHandler = lambda data: None
        self._rand = rand or random.Random()
        self._recovery = Recovery(connectors, recovery_min_interval, recovery_max_interval, self._rand)
        self._keep_alive_interval = keep_alive_interval
        self._pong_timeout = pong_timeout
        self._latest = max(connectors, key=lambda connector: connector.weight)
        self._connection: Connection | None = None
        self._keep_alive: KeepAlive | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = False  # from the success of a try to the report of its end
        self._stopping = False
        self._logged: str | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to send on."""
        return self._connection is not None

    @property
    def url(self) -> str:
        """The server that we are connected to, or tried last."""
        return self._latest.url

    @property
    def via_transport(self) -> str:
        """The transport for Via headers: ``"WS"`` or ``"WSS"`` (:rfc:`7118#section-5.1`)."""
        return self._latest.via_transport

    @property
    def connection(self) -> Connection | None:
        """The connection, None while there is none; another object after each reconnection."""
        return self._connection

    def start(self) -> None:
        """Begin to connect. Does nothing when already started."""
        if self._task is None:
            self._stopping = False
            self._task = asyncio.get_running_loop().create_task(self._run(), name="sipua transport")

    async def stop(self) -> None:
        """Send what is queued, close the connection, and stop. `start` may follow."""
        task, connection = self._task, self._connection
        if task is None:
            return
        self._stopping = True
        self._no_connection()
        try:
            if connection is not None:
                await connection.close()
            elif not self._up:
                task.cancel()
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._task = None

    def send(self, data: Data) -> None:
        """Queue one message on the connection.

        :raises NotConnected: there is none at the moment.
        """
        if self._connection is None:
            raise NotConnected(self.url, "not connected")
        self._connection.send(data)

    def check(self) -> None:
        """Find out now whether the connection is alive, as after a request that got no answer."""
        if self._keep_alive is not None:
            self._keep_alive.ask()

    def give_up(self, why: str) -> None:
        """Leave the present server, which turned out not to work, and go on with the next one."""
        if self._connection is not None:
            self._connection.abort(ConnectionLost(self.url, why))

    # --- connecting ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            pause, server = self._recovery.next()
            if pause:
                await asyncio.sleep(pause)
            attempt += 1
            self._latest = server
            self._call(self.on_connecting, server.url, attempt)
            try:
                ended = await self._connect(server)
            except TransportError as error:
                self._report(server.url, error)
                self._recovery.failed(server, lasting=isinstance(error, LASTING_ERRORS))
                continue
            attempt = 0
            self._up = True
            since = loop.time()
            try:
                end = await ended
            except asyncio.CancelledError:
                self.give_up("cancelled")
                raise
            finally:
                self._up = False
            if self._stopping:
                self._report(server.url, None)
                return
            self._report(server.url, end)
            self._recovery.lost(server, loop.time() - since)

    async def _connect(self, server: Connector) -> asyncio.Future[TransportError]:
        """Connect to this server. The future that is returned holds how the connection ended."""
        ended: asyncio.Future[TransportError] = asyncio.get_running_loop().create_future()

        def on_close(error: TransportError | None) -> None:
            self._no_connection()
            if not ended.done():
                ended.set_result(error or ConnectionLost(server.url, "closed", code=1000))

        try:
            connection = await server.connect(self._received, on_close)
        except TransportError:
            raise
        except Exception as error:
            # A connector of somebody else's making; recovery must go on.
            logger.exception("%s: unexpected error while connecting", server.url)
            raise TransportError(server.url, f"unexpected error while connecting: {error!r}") from error
        if not ended.done():
            self._connection = connection
            self._keep_alive = KeepAlive(
                connection, self._keep_alive_interval, self._pong_timeout, self._rand
            )
            self._logged = None
            logger.info("%s: connected", server.url)
            self._call(self.on_connected, server.url)
        return ended

    def _no_connection(self) -> None:
        self._connection = None
        if self._keep_alive is not None:
            self._keep_alive.stop()
            self._keep_alive = None

    def _report(self, url: str, error: TransportError | None) -> None:
        if error is None:
            logger.info("%s: disconnected", url)
        else:
            # The same trouble again and again is news only once.
            logger.log(logging.DEBUG if str(error) == self._logged else logging.WARNING, "%s", error)
            self._logged = str(error)
        self._call(self.on_disconnected, url, error)

    # --- messages and callbacks ---------------------------------------------------------------------------

    def _received(self, data: Data) -> None:
        if len(data) > len(PING):
            self.on_message(data)
        elif (answer := ANSWERS.get(data)) is not None:
            try:
                self.send(answer)
            except NotConnected:  # the connection ends, and whoever has to know is told
                pass

    def _call(self, callback: Callable[..., None], *args: Any) -> None:
        try:
            callback(*args)
        except Exception:
            logger.exception("%s: a callback failed", self.url)
