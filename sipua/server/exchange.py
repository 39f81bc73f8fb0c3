"""The SIP side of the server: registrar and proxy over the same connections, and who gets which request."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.server.calls import Calls
from sipua.server.core import Core, Limits
from sipua.server.gatekeeper import Gatekeeper
from sipua.server.location import Binding, Location
from sipua.server.proxy import Proxy, Watching
from sipua.server.publications import Publications
from sipua.server.refusal import Refusal
from sipua.server.registrar import Registrar, RegistrarPolicy
from sipua.server.routing import Router
from sipua.server.states import States
from sipua.sip import ParseError, Request, Timers, reason_phrase

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from sipua.server.accounts import Account
    from sipua.server.flow import Flow
    from sipua.server.names import Names
    from sipua.sip import ServerTransaction

logger = logging.getLogger("sipua.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the SIP side goes by. Times are in seconds."""

    accounts: Mapping[str, Account]
    names: Names
    realm: str
    algorithms: tuple[str, ...]
    trusted_users: frozenset[str]
    """Users without a password, who register over trusted connections."""
    aliases: Mapping[str, str]
    """Further user names, each with the user that stands behind it."""
    policy: RegistrarPolicy
    limits: Limits
    authenticate_in_dialog: bool
    timers: Timers
    timer_c: float
    rand: random.Random
    agent: str | None = None
    """The user who serves SUBSCRIBE for others, which goes with PUBLISH; None: there are no such services."""


class Exchange:
    """Made when the server starts, and forgotten with all it knows of clients when it stops."""

    def __init__(self, settings: Settings) -> None:
        names, accounts, rand = settings.names, settings.accounts, settings.rand
        users = accounts.keys() | settings.trusted_users
        self.location = Location(rand)
        self.core = Core(self, sent_by=names.own, timers=settings.timers, limits=settings.limits, rand=rand)
        gatekeeper = Gatekeeper(accounts, settings.realm, settings.algorithms, rand)
        router = Router(self.location, names, users, settings.aliases, self.core.flows)
        self._registrar = Registrar(self.location, gatekeeper, names, users, settings.policy)
        self.on_change: Callable[..., None] = lambda user, *packages: None
        """Called with a user and the event packages whose state may have changed."""
        self.calls: Calls | None = None
        self._publications: Publications | None = None
        self.states: States | None = None
        watching = None
        if settings.agent is not None:
            self.calls = Calls(lambda user: self.on_change(user, "dialog"))
            self._publications = Publications(
                gatekeeper, names, accounts, rand, lambda user, package: self.on_change(user, package)
            )
            self.states = States(self.location, self.calls, self._publications)
            self.location.on_change = lambda user: self.on_change(user, "presence", "reg")
            watching = Watching(settings.agent, self.states.packages, self.calls, self.location, accounts)
        self.proxy = Proxy(
            self.core,
            router,
            gatekeeper,
            names,
            accounts,
            timer_c=settings.timer_c,
            authenticate_in_dialog=settings.authenticate_in_dialog,
            watching=watching,
        )

    # --- what the core asks of its user -------------------------------------------------------------------------------

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """A new request."""
        try:
            if request.method == "REGISTER":
                headers = self._registrar.register(request, flow, self.core.now())
                self.core.reply(transaction, 200, headers=headers)
            elif request.method == "PUBLISH" and self._publications is not None:
                headers = self._publications.publish(request, flow, self.core.now())
                self.core.reply(transaction, 200, headers=headers)
            else:
                self.proxy.forward(transaction, request, flow)
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
        self.core.reply(transaction, refusal.code, refusal.phrase, refusal.headers)

    def on_ack(self, ack: Request, flow: Flow) -> None:
        """The ACK to a 2xx."""
        self.proxy.forward_ack(ack, flow)

    def on_flow_lost(self, flow: Flow) -> None:
        """A connection is gone."""
        _log_gone(self.location.drop_flow(flow), "the connection is gone")
        if self.calls is not None:
            self.calls.on_flow_lost(flow)

    def next_deadline(self) -> float | None:
        """When `handle_timeout` is to be called."""
        deadlines = [self.location.next_deadline()]
        if self._publications is not None:
            deadlines.append(self._publications.next_deadline())
        return min((when for when in deadlines if when is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """The time has come."""
        _log_gone(self.location.expire(now), "expired")
        if self._publications is not None:
            self._publications.expire(now)


def _log_gone(bindings: list[Binding], why: str) -> None:
    for binding in bindings:
        level = logging.DEBUG if binding.flow.trusted else logging.INFO
        logger.log(level, "%s unregistered from %s: %s", binding.user, binding.contact.uri, why)
