"""`Server`: a registrar, a proxy and some call apps in one object, for demonstrations and tests."""

from __future__ import annotations

import logging
import random
import ssl
from contextlib import AsyncExitStack
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from sipua.errors import ConfigurationError, InvalidStateError
from sipua.server.accounts import Account, check_accounts, check_algorithms
from sipua.server.apps import APPS, AppHost
from sipua.server.core import Limits
from sipua.server.exchange import Exchange, Settings
from sipua.server.names import Names, check_domain
from sipua.server.registrar import RegistrarPolicy
from sipua.server.watching import WatchingAgent
from sipua.sip import Timers
from sipua.testing import MemoryNetwork
from sipua.transport.listener import WebSocketListener

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sipua.media.interface import MediaFactory
    from sipua.server.core import Tracer
    from sipua.testing import MemoryConnector
    from sipua.transport import Connection

logger = logging.getLogger("sipua.server")

#: The addresses that clients in the same process, and the call apps, connect to.
MEMORY_URL = "ws://server.invalid/"
_OWN_URL = "ws://apps.invalid/"
#: Who the call apps are registered as; their numbers are aliases of it.
APPS_USER = "apps"
#: Who answers SUBSCRIBE for others.
WATCHING_USER = "watching"
#: Our name in Via and Record-Route, unless there is a domain. Clients never look it up: they are connected.
NAME = "server.invalid"

StrPath = str | PathLike[str]


class Server:
    """A SIP server for WebSocket clients: registrar, stateful proxy, and call apps such as an echo at 600.

    It is made for demonstrations and tests, not for production: everything is kept in memory, there is no way to
    other domains, no outbound proxying, no rate limit by address. ::

        async with Server({"alice": "secret", "bob": "secret2"}) as server:
            async with UA("sip:alice@example.com", sockets=server.url, password="secret") as ua:
                async with ua.call("600") as call: ...

    :param accounts: user names with their passwords, or with an `Account`. See `load_accounts` for a file.
    :param host: the address to listen at.
    :param port: for ``ws``; 0 takes a free one, None does not listen.
    :param certificate: file with the PEM certificate chain; with it there is a ``wss`` port too.
    :param private_key: file with its key; the certificate's file by default.
    :param tls_port: for ``wss``; 0 takes a free one.
    :param domain: the one domain whose users are here. None: clients may go by any domain name.
    :param realm: for authentication; the domain by default.
    :param algorithms: digest algorithms to offer, in this order.
    :param apps: whether the call apps are there (`sipua.server.APPS` lists them).
    :param presence: whether PUBLISH is taken, and SUBSCRIBE answered for users whose own telephones do not: to
        ``presence``, ``dialog`` (the calls that pass through the server), ``message-summary`` and ``reg``.
    :param media: what makes the media of the call apps; aiortc by default.
    :param media_options: fields of `MediaOptions` for the call apps, such as ``ice_host_addresses``.
    :param policy: bounds for registrations.
    :param limits: what one client may ask for.
    :param authenticate_in_dialog: ask for credentials in dialogs too.
    :param timers: of the transactions; `timer_c` is how long a call may ring, in seconds, without a new
        provisional response (:rfc:`3261#section-16.6`, at least 180 there).
    :param rand: where ids, tags and nonces come from; the system's secure source by default.
    :raises ConfigurationError: a value that cannot be used.
    """

    def __init__(
        self,
        accounts: Mapping[str, str | Account],
        *,
        host: str = "127.0.0.1",
        port: int | None = 0,
        certificate: StrPath | None = None,
        private_key: StrPath | None = None,
        tls_port: int = 0,
        domain: str | None = None,
        realm: str | None = None,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        apps: bool = True,
        presence: bool = False,
        media: MediaFactory | None = None,
        media_options: Mapping[str, Any] | None = None,
        policy: RegistrarPolicy = RegistrarPolicy(),  # noqa: B008 - immutable
        limits: Limits = Limits(),  # noqa: B008 - immutable
        authenticate_in_dialog: bool = False,
        timers: Timers | None = None,
        timer_c: float = 200.0,
        rand: random.Random | None = None,
    ) -> None:
        checked = check_accounts(accounts)
        if domain is not None:
            check_domain(domain)
        for there, names, what in (
            (apps, {*APPS, APPS_USER}, "taken by the call apps; take another, or apps=False"),
            (presence, {WATCHING_USER}, "taken by the server's presence; take another, or presence=False"),
        ):
            if there and (clash := names & checked.keys()):
                raise ConfigurationError("accounts", min(clash), what)
        own = {APPS_USER: apps, WATCHING_USER: presence}
        self._host = host
        self._port = port
        self._tls_port = tls_port
        self._ssl = _ssl_context(certificate, private_key)
        self._settings = Settings(
            accounts=checked,
            names=Names(domain, domain or NAME, (f"[{host}]" if ":" in host else host, NAME)),
            realm=realm or domain or "sipua",
            algorithms=check_algorithms(algorithms),
            trusted_users=frozenset(user for user, there in own.items() if there),
            aliases=dict.fromkeys(APPS, APPS_USER) if apps else {},
            policy=policy,
            limits=limits,
            authenticate_in_dialog=authenticate_in_dialog,
            timers=timers or Timers(),
            timer_c=timer_c,
            rand=rand or random.SystemRandom(),
            agent=WATCHING_USER if presence else None,
        )
        address = f"sip:{APPS_USER}@{domain or NAME}"
        self._apps = AppHost(APPS, address, media, media_options or {}) if apps else None
        self._watching: WatchingAgent | None = None
        if presence:
            self._watching = WatchingAgent(f"sip:{WATCHING_USER}@{domain or NAME}", checked)
        self._listeners: list[WebSocketListener] = []
        self._running: tuple[Exchange, AsyncExitStack] | None = None
        self._tracer: Tracer | None = None
        self.network = MemoryNetwork()
        """The simulated network that `connector` connects by, for faults of all kinds in tests."""

    # --- where it is --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where clients connect to: the ``ws`` address, or the ``wss`` one when it is the only one."""
        return self.urls[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses, ``ws`` first.

        :raises InvalidStateError: not started, or it listens nowhere.
        """
        if not self._listeners:
            raise InvalidStateError("url", "not listening")
        return tuple(listener.url for listener in self._listeners)

    def connector(self) -> MemoryConnector:
        """Something for the ``sockets`` of a user agent in this process: connects without a socket."""
        return self.network.connector(MEMORY_URL)

    def accept(self, connection: Connection) -> None:
        """Take a connection from whatever listens for them, such as `MemoryNetwork.listen`.

        :raises InvalidStateError: not started.
        """
        self._exchange.core.accept(connection)

    # --- looking inside -----------------------------------------------------------------------------------------------

    def registrations(self) -> dict[str, list[str]]:
        """The contacts of the registered users; the call apps are not listed.

        :raises InvalidStateError: not started.
        """
        location = self._exchange.location
        bindings = {user: location.of(user) for user in self._settings.accounts}
        return {user: [str(b.contact.uri) for b in found] for user, found in bindings.items() if found}

    def counts(self) -> dict[str, int]:
        """How much is held in memory: connections, bindings, transactions, deadlines. For tests and monitoring.

        :raises InvalidStateError: not started.
        """
        exchange = self._exchange
        layer = exchange.core.layer
        return {
            "connections": len(exchange.core.flows),
            "bindings": len(exchange.location),
            "transactions": len(layer),
            "deadlines": layer.counts.deadlines,
        }

    def trace(self, tracer: Callable[[str, str, str | bytes], None] | None) -> None:
        """Show every message to `tracer(direction, peer, data)`; the direction is ``"in"`` or ``"out"``.

        None ends it. The data is as on the wire, credentials included: it is the tracer's duty to keep them.
        """
        self._tracer = tracer
        if self._running is not None:
            self._exchange.core.on_trace = tracer

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def _exchange(self) -> Exchange:
        if self._running is None:
            raise InvalidStateError("a look inside", "stopped")
        return self._running[0]

    async def start(self) -> None:
        """Listen, and start the call apps. Does nothing when already started.

        :raises ConnectFailed: the address cannot be used.
        """
        if self._running is not None:
            return
        exchange, stack = Exchange(self._settings), AsyncExitStack()
        exchange.core.on_trace = self._tracer
        self._running = exchange, stack
        # Stopped in reverse: first the apps hang up, then nobody gets in any more, then the rest is closed.
        stack.push_async_callback(exchange.core.close)
        try:
            doors = await stack.enter_async_context(AsyncExitStack())
            if self._apps is not None:
                connector = self._private_way(exchange, traced=True)
                stack.push_async_callback(self._apps.stop)
                await self._apps.start(connector)
            if self._watching is not None and exchange.states is not None:
                connector = self._private_way(exchange, traced=False)
                stack.push_async_callback(self._watching.stop)
                exchange.on_change = self._watching.changed
                await self._watching.start(connector, exchange.states)
            # Opened last: who gets in finds all that there is.
            self._listen_in_memory(doors)
            if self._port is not None:
                await self._listen(doors, self._port, None)
            if self._ssl is not None:
                await self._listen(doors, self._tls_port, self._ssl)
        except BaseException:
            await self.stop()
            raise
        for listener in self._listeners:
            logger.info("listening at %s", listener.url)

    async def stop(self) -> None:
        """End the calls of the apps, close all connections. Does nothing when not started."""
        if self._running is not None:
            _, stack = self._running
            await stack.aclose()
            self._listeners.clear()
            self._running = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def _listen_in_memory(self, stack: AsyncExitStack) -> None:
        stack.callback(self.network.listen(MEMORY_URL, self.accept).refuse)

    async def _listen(self, stack: AsyncExitStack, port: int, context: ssl.SSLContext | None) -> None:
        listener = WebSocketListener(self.accept, self._host, port, ssl_context=context)
        await listener.start()
        stack.push_async_callback(listener.close)
        self._listeners.append(listener)

    def _private_way(self, exchange: Exchange, *, traced: bool) -> MemoryConnector:
        """How a user agent of the server itself gets in, whom no password is asked of."""
        # A network of its own: faults that a test makes on the other one are not meant for it.
        network, core = MemoryNetwork(), exchange.core
        network.listen(_OWN_URL, lambda connection: core.accept(connection, trusted=True, traced=traced))
        return network.connector(_OWN_URL)


def _ssl_context(certificate: StrPath | None, private_key: StrPath | None) -> ssl.SSLContext | None:
    if certificate is None:
        if private_key is not None:
            raise ConfigurationError("private_key", str(private_key), "of no use without a certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, private_key)
    except ssl.SSLError as error:
        files = str(certificate) if private_key is None else f"{certificate} and {private_key}"
        why = f" ({error.reason})" if error.reason else ""
        raise ConfigurationError("certificate", files, f"no PEM certificate with its key{why}") from None
    except OSError as error:
        name = error.filename or certificate
        raise ConfigurationError("certificate", str(name), f"cannot be read ({error.strerror})") from None
    return context
