"""Coming and going: the part of `UA` that connects, registers, and says goodbye."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self, cast

from sipua import events
from sipua.errors import InvalidStateError, RegistrationFailed, TransportError
from sipua.transport import Transport
from sipua.ua.endpoint import Endpoint
from sipua.ua.hosting import Hosting
from sipua.ua.inbound import on_request
from sipua.ua.pinging import Pinging
from sipua.ua.registrator import Registrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.ua.config import Configuration
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")

#: Seconds that `stop` waits for goodbyes before it closes the connection.
STOP_TIMEOUT = 5.0


class Life(Hosting):
    """The part of `UA` that is about its connection: from `start` to `stop`."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._transport: Transport | None = None
        self._registrator: Registrator | None = None
        self._ready: asyncio.Future[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._draining = False
        self._pinging = Pinging(cast("UA", self), configuration.options_interval)
        self._failed_servers: dict[str, TransportError] = {}
        self._tracer: Callable[[str, str | bytes], None] | None = None
        self._was_lost = False  # the connection, and calls have not been told yet that it is back
        self.on("registered", lambda _: self._ready_again())

    def start(self) -> None:
        """Connect, and register unless configured otherwise; events tell how it goes. Needs a running event loop.

        Does nothing when already started.

        :raises InvalidStateError: it is being stopped.
        """
        if self._stopping is not None:
            raise InvalidStateError("start", "stopping")
        if self._transport is not None:
            return
        self.loop = asyncio.get_running_loop()
        configuration = self.configuration
        transport = self._transport = Transport(
            configuration.sockets,
            recovery_min_interval=configuration.connection_recovery_min_interval,
            recovery_max_interval=configuration.connection_recovery_max_interval,
            keep_alive_interval=configuration.keep_alive_interval,
        )
        self.endpoint = Endpoint(
            transport,
            sent_by=self.identity.sent_by,
            authenticator=self.identity.authenticator(self.rand),
            on_request=lambda transaction, request: on_request(cast("UA", self), transaction, request),
            rand=self.rand,
        )
        self.endpoint.on_trace = self._tracer
        if self.has_handlers("new_transaction") or self.has_handlers("transaction_destroyed"):
            self.endpoint.on_transaction = self._on_transaction
        self._ready = self.loop.create_future()
        self._failed_servers.clear()
        self._registrator = self.identity.registrator = Registrator(cast("UA", self))
        self.identity.server_url = lambda: transport.url
        if configuration.register:
            self._registrator._wanted = True
        transport.on_connecting = lambda url, attempt: self.emit(
            "connecting", events.Connecting(url, attempt)
        )
        transport.on_connected = self._on_connected
        transport.on_disconnected = self._on_disconnected
        transport.start()

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """End all calls, unregister, disconnect; wait at most `timeout` seconds for the peers' answers.

        May be followed by `start` again. Does nothing when not started. Whoever is cancelled while waiting for
        it does not keep it from coming to its end.
        """
        if self._stopping is None:
            if self._transport is None:
                return
            self._stopping = self.loop.create_task(self._stop(timeout))
            self._stopping.add_done_callback(self._stopped)
        await asyncio.shield(self._stopping)

    async def drain(self, timeout: float | None = None) -> None:
        """Take no more calls, but let those that are up come to their end; then `stop`.

        The binding is removed at once. What calls all the same gets 480; `UA.call` is not possible any more. Whoever is
        cancelled while waiting for it has changed nothing but that: `stop`, or `register`, may follow.

        :param timeout: seconds after which the calls that are left are hung up; None: never.
        :raises InvalidStateError: not started, or being stopped.
        """
        self._assert_running("drain")
        assert self._transport is not None
        assert self._registrator is not None
        self._draining = True
        try:
            if self._transport.is_connected and self._registrator.registered:
                self._registrator.unregister()
            self._registrator._wanted = False
            try:
                async with asyncio.timeout(timeout):
                    while self._sessions:
                        await asyncio.wait([session._gone for session in self._sessions])
            except TimeoutError:
                logger.info("%s: %d calls are left after %s s", self, len(self._sessions), timeout)
            await self.stop()
        finally:
            self._draining = False

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._stopping = None
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: stopping failed", self, exc_info=error)

    async def _stop(self, timeout: float) -> None:
        transport, registrator = self._transport, self._registrator
        assert transport is not None
        assert registrator is not None
        waits: list[asyncio.Future[None]] = []
        for session in tuple(self._sessions):
            waits.append(session._gone)
            if not session.is_ended():
                session.terminate()
        waits += [user.leave() for user in tuple(self.event_users)]
        if transport.is_connected and registrator.registered:
            waits.append(registrator.unregister())
        registrator.close()
        self._pinging.stop()
        if waits:
            await asyncio.wait(waits, timeout=timeout)
        self._set_ready(None)
        await transport.stop()
        self.endpoint.transport_lost()
        self.endpoint.close()
        self._close_event_users()
        for session in tuple(self._sessions):
            session._set_gone()
        for user in tuple(self._dialogs.values()):
            user.close()
        self._dialogs.clear()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=timeout)
        self._transport = self._registrator = None

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` or `drain` is under way: nothing new may begin."""
        return self._stopping is not None or self._draining

    def _assert_running(self, operation: str) -> None:
        if self._transport is None or self._stopping is not None:
            raise InvalidStateError(operation, "stopped" if self._transport is None else "stopping")

    async def ready(self) -> None:
        """Wait until connected and, if so configured, registered for the first time.

        :raises TransportError: no server could be reached.
        :raises RegistrationFailed: the registrar refused.
        :raises InvalidStateError: not started.
        """
        if self._ready is None:
            raise InvalidStateError("ready", "stopped")
        await asyncio.shield(self._ready)

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def is_connected(self) -> bool:
        """Whether the connection to a server is up."""
        return self._transport is not None and self._transport.is_connected

    def is_registered(self) -> bool:
        """Whether the registrar holds our binding."""
        return self._registrator is not None and self._registrator.registered

    def registrator(self) -> Registrator:
        """Details of the registration: GRUUs, Service-Route, extra headers.

        :raises InvalidStateError: not started.
        """
        if self._registrator is None:
            raise InvalidStateError("registrator", "stopped")
        return self._registrator

    def counts(self) -> dict[str, int]:
        """How much is held in memory: sessions, dialogs, transactions, deadlines, tasks. For tests and monitoring."""
        held = {"sessions": len(self._sessions), "dialogs": len(self._dialogs), "tasks": len(self._tasks)}
        held["subscriptions"] = len(self.event_users)
        if self._transport is not None:
            layer = self.endpoint.layer
            held |= {"transactions": len(layer), "deadlines": layer.counts.deadlines}
        return held

    def trace(self, tracer: Callable[[str, str | bytes], None] | None) -> None:
        """Show every message to `tracer(direction, data)`, ``"in"`` or ``"out"``; None ends it.

        The data is as on the wire, credentials included: it is the tracer's duty to keep them.
        """
        self._tracer = tracer
        if self._transport is not None:
            self.endpoint.on_trace = tracer

    # --- connection ----------------------------------------------------------------------------------------

    def _on_connected(self, url: str) -> None:
        assert self._transport is not None
        assert self._registrator is not None
        self._failed_servers.clear()
        self.endpoint.layer.via_transport = self._transport.via_transport
        self._pinging.start()
        self.emit("connected", events.Connected(url))
        if not self._registrator._wanted:
            self._set_ready(None)
            self._ready_again()
            return
        first = self._registrator.connected()
        if first is not None and self._ready is not None and not self._ready.done():
            first.add_done_callback(self._first_registration)

    def _ready_again(self) -> None:
        """Connected, and registered where that is wanted: requests will get through."""
        self._tell_event_users(connected=True)
        if self._was_lost:
            self._was_lost = False
            for session in tuple(self._sessions):
                session.connection_is_back()

    def _first_registration(self, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, RegistrationFailed) and error.cause is events.Cause.CONNECTION_ERROR:
            return  # the connection was lost meanwhile; the next one registers again
        self._set_ready(error if isinstance(error, Exception) else None)

    def _on_disconnected(self, url: str, error: TransportError | None) -> None:
        code, reason = getattr(error, "code", None), getattr(error, "reason", "")
        self._pinging.stop()
        self.emit("disconnected", events.Disconnected(url, error, code, reason))
        self._was_lost = True
        self.endpoint.transport_lost()
        if self._registrator is not None:
            self._registrator.connection_lost()
        self._tell_event_users(connected=False)
        if error is not None:
            self._failed_servers[url] = error
            if len(self._failed_servers) >= len({server.url for server in self.configuration.sockets}):
                self._set_ready(error)

    def _set_ready(self, error: Exception | None) -> None:
        if self._ready is None or self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)
            self._ready.exception()  # nobody has to wait for it

    def _on_transaction(self, what: str, transaction: object) -> None:
        if what == "new":
            self.emit("new_transaction", events.NewTransaction(transaction))
        else:
            self.emit("transaction_destroyed", events.TransactionDestroyed(transaction))
