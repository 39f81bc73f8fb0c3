"""`Server`: a registrar, a proxy and some call apps in one object, for demonstrations and tests."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from contextlib import AsyncExitStack
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from sipua._version import __version__
from sipua.errors import ConfigurationError, InvalidStateError
from sipua.server.accounts import Account, check_accounts, check_algorithms
from sipua.server.apps import APPS, AppHost
from sipua.server.core import Core, Limits
from sipua.server.gatekeeper import Gatekeeper
from sipua.server.location import Binding, Location
from sipua.server.names import Names
from sipua.server.proxy import Proxy
from sipua.server.refusal import Refusal
from sipua.server.registrar import Registrar, RegistrarPolicy
from sipua.server.routing import Router
from sipua.sip import ParseError, Request, Timers, reason_phrase
from sipua.testing import MemoryNetwork
from sipua.transport.listener import WebSocketListener

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.media.interface import MediaFactory
    from sipua.server.flow import Flow
    from sipua.sip import ServerTransaction
    from sipua.testing import MemoryConnector
    from sipua.transport import Connection

logger = logging.getLogger("sipua.server")

#: The addresses that clients in the same process, and the call apps, connect to.
MEMORY_URL = "ws://server.invalid/"
_APPS_URL = "ws://apps.invalid/"
#: Who the call apps are registered as; their numbers are aliases of it.
APPS_USER = "apps"
_UNSPECIFIED = ("", "0.0.0.0", "::")

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
        media: MediaFactory | None = None,
        media_options: Mapping[str, Any] | None = None,
        policy: RegistrarPolicy = RegistrarPolicy(),  # noqa: B008 - immutable
        limits: Limits = Limits(),  # noqa: B008 - immutable
        authenticate_in_dialog: bool = False,
        timers: Timers | None = None,
        timer_c: float = 200.0,
        rand: random.Random | None = None,
    ) -> None:
        self._accounts = check_accounts(accounts)
        taken = {*APPS, APPS_USER} if apps else set()
        if clash := taken & self._accounts.keys():
            raise ConfigurationError(
                "accounts", min(clash), "taken by the call apps; take another, or apps=False"
            )
        self._host = host
        self._port = port
        self._tls_port = tls_port
        self._ssl = _ssl_context(certificate, private_key)
        self._domain = domain
        self._realm = realm or domain or "sipua"
        self._algorithms = check_algorithms(algorithms)
        self._policy = policy
        self._limits = limits
        self._authenticate_in_dialog = authenticate_in_dialog
        self._timers = timers or Timers()
        self._timer_c = timer_c
        self._rand = rand or random.SystemRandom()
        self._users = {*self._accounts, *((APPS_USER,) if apps else ())}
        address = f"sip:{APPS_USER}@{domain or 'localhost'}"
        self._apps = AppHost(APPS, address, media, media_options or {}) if apps else None
        self._listeners: list[WebSocketListener] = []
        self._stack: AsyncExitStack | None = None
        self._core: Core
        self._location: Location
        self._registrar: Registrar
        self._proxy: Proxy
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
        """Take a connection from whatever listens for them, such as `MemoryNetwork.listen`."""
        self._core.accept(connection)

    def registrations(self) -> dict[str, list[str]]:
        """The contacts of the registered users; the call apps are not listed."""
        bindings = {user: self._location.of(user) for user in self._accounts}
        return {user: [str(b.contact.uri) for b in found] for user, found in bindings.items() if found}

    def counts(self) -> dict[str, int]:
        """How much is held in memory: connections, bindings, transactions, deadlines. For tests and monitoring."""
        layer = self._core.layer
        return {
            "connections": len(self._core.flows),
            "bindings": len(self._location),
            "transactions": len(layer),
            "deadlines": layer.counts.deadlines,
        }

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and start the call apps.

        :raises ConnectFailed: the address cannot be used.
        """
        async with AsyncExitStack() as stack:
            if self._port is not None:
                await self._listen(stack, self._port, None)
            if self._ssl is not None:
                await self._listen(stack, self._tls_port, self._ssl)
            self._build()
            stack.push_async_callback(self._core.close)
            self.network.listen(MEMORY_URL, self.accept)
            if self._apps is not None:
                self.network.listen(_APPS_URL, lambda connection: self._core.accept(connection, trusted=True))
                stack.push_async_callback(self._apps.stop)
                await self._apps.start(self.network.connector(_APPS_URL))
            self._stack = stack.pop_all()
        for listener in self._listeners:
            logger.info("listening at %s", listener.url)

    async def stop(self) -> None:
        """End the calls of the apps, close all connections. Does nothing when not started."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()
            self._listeners.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _listen(self, stack: AsyncExitStack, port: int, context: ssl.SSLContext | None) -> None:
        listener = WebSocketListener(self.accept, self._host, port, ssl_context=context)
        await listener.start()
        stack.push_async_callback(listener.close)
        self._listeners.append(listener)

    def _build(self) -> None:
        """Put the parts together; what is known of clients begins anew."""
        names = self._names()
        self._location = Location(self._rand)
        self._core = Core(
            sent_by=names.own,
            server_name=f"sipua/{__version__}",
            timers=self._timers,
            limits=self._limits,
            rand=self._rand,
            on_request=self._on_request,
            on_ack=lambda ack, flow: self._proxy.forward_ack(ack, flow),
            on_flow_lost=self._on_flow_lost,
            next_deadline=self._location.next_deadline,
            on_deadline=self._expire,
        )
        gatekeeper = Gatekeeper(self._accounts, self._realm, self._algorithms, self._rand)
        self._registrar = Registrar(self._location, gatekeeper, names, self._users, self._policy)
        aliases = dict.fromkeys(APPS, APPS_USER) if self._apps is not None else {}
        router = Router(self._location, names, self._users, aliases, self._core.flows)
        self._proxy = Proxy(
            self._core,
            router,
            gatekeeper,
            names,
            self._accounts,
            timer_c=self._timer_c,
            authenticate_in_dialog=self._authenticate_in_dialog,
        )

    def _names(self) -> Names:
        host = f"[{self._host}]" if ":" in self._host else self._host
        if self._domain is not None:
            own = self._domain
        elif self._listeners and self._host not in _UNSPECIFIED:
            own = f"{host}:{self._listeners[0].port}"
        else:
            own = "server.invalid"
        return Names(self._domain, own, (host, "server.invalid"))

    # --- work ---------------------------------------------------------------------------------------------------------

    def _on_request(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        try:
            if request.method == "REGISTER":
                headers = self._registrar.register(request, flow, self._core.now())
                self._core.reply(transaction, 200, headers=tuple(headers))
            else:
                self._proxy.forward(transaction, request, flow)
        except Refusal as refusal:
            self._refuse(transaction, refusal)
        except ParseError as error:
            logger.warning("%s: bad message: %s", flow, error)
            self._refuse(transaction, Refusal(error.status or 400, error.phrase, error.headers))

    def _refuse(self, transaction: ServerTransaction, refusal: Refusal) -> None:
        request = transaction.request
        logger.log(
            logging.DEBUG if refusal.code in (401, 407) else logging.INFO,
            "%s %s → %s: %d %s",
            request.method,
            request.from_address.uri,
            request.uri,
            refusal.code,
            refusal.phrase or reason_phrase(refusal.code),
        )
        self._core.reply(transaction, refusal.code, refusal.phrase, refusal.headers)

    def _on_flow_lost(self, flow: Flow) -> None:
        self._log_gone(self._location.drop_flow(flow), "the connection is gone")

    def _expire(self, now: float) -> None:
        self._log_gone(self._location.expire(now), "expired")

    def _log_gone(self, bindings: list[Binding], why: str) -> None:
        for binding in bindings:
            level = logging.DEBUG if binding.flow.trusted else logging.INFO
            logger.log(level, "%s unregistered from %s: %s", binding.user, binding.contact.uri, why)


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
        raise ConfigurationError(
            "certificate", files, f"no PEM certificate with its key ({error.reason})"
        ) from None
    except OSError as error:
        name = error.filename or certificate
        raise ConfigurationError("certificate", str(name), f"cannot be read ({error.strerror})") from None
    return context


async def run_forever(server: Server) -> None:
    """Run a server until this is cancelled."""
    async with server:
        await asyncio.get_running_loop().create_future()
