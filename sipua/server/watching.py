"""Answers SUBSCRIBE for users whose own telephones do not (:rfc:`3856`, :rfc:`4235`, :rfc:`3842`, :rfc:`3680`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipua import UA
from sipua.server.states import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Container

    from sipua.events import NewSubscribe
    from sipua.server.states import States
    from sipua.transport import Connector
    from sipua.ua.notifier import Notifier

logger = logging.getLogger("sipua.server")


class _Watcher:
    """One subscription, and what it was told last."""

    def __init__(self, agent: WatchingAgent, user: str, package: str, uri: str) -> None:
        self.notifier: Notifier
        self._agent = agent
        self._user = user
        self._package = package
        self._uri = uri
        self._version = 0
        self._told = self.now()

    def now(self) -> Any:
        """What there is to tell."""
        assert self._agent.states is not None
        return self._agent.states.packages[self._package](self._user, self._uri, self._version)

    def tell(self) -> None:
        """Tell it, unless it is what was told last."""
        if self.now() != self._told:
            self._next()
            self.notifier.notify(self._told)

    def refreshed(self) -> None:
        """The whole state goes with each refresh; a document that counts itself goes on counting."""
        self._next()
        self.notifier.notify(self._told)

    def _next(self) -> None:
        self._version += 1
        self._told = self.now()


class WatchingAgent:
    """One user agent, registered as `address`; the proxy sends it the SUBSCRIBEs that nobody else takes.

    :param users: whom there is something to tell of.
    """

    def __init__(self, address: str, users: Container[str]) -> None:
        self.states: States | None = None
        self._address = address
        self._users = users
        self._agent: UA | None = None
        self._watchers: dict[tuple[str, str], set[_Watcher]] = {}

    async def start(self, connector: Connector, states: States) -> None:
        """Connect and register."""
        self.states = states
        agent = self._agent = UA(
            self._address,
            sockets=connector,
            keep_alive_interval=None,
            allow_events=list(states.packages),
        )
        agent.on("new_subscribe", self._subscribed)
        agent.start()
        await agent.ready()

    async def stop(self) -> None:
        """End all subscriptions and disconnect."""
        if self._agent is not None:
            agent, self._agent = self._agent, None
            await agent.stop()
            self._watchers.clear()

    def changed(self, user: str, *packages: str) -> None:
        """What there is to tell of a user may have changed."""
        for package in packages:
            for watcher in tuple(self._watchers.get((user, package), ())):
                watcher.tell()

    def _subscribed(self, event: NewSubscribe) -> None:
        agent, request = self._agent, event.request
        if agent is None:
            return
        user, package = request.to_address.uri.user or "", event.event
        if user not in self._users:
            event.subscribe.reject(404)
            return
        if package in PRIVATE and request.from_address.uri.user != user:
            event.subscribe.reject(403)
            return
        watcher = _Watcher(self, user, package, str(request.to_address.uri))
        watcher.notifier = agent.notify(event.subscribe, body=watcher.now())
        watchers = self._watchers.setdefault((user, package), set())
        watchers.add(watcher)
        logger.info("%s watches the %s of %s", request.from_address.uri, package, user)
        first = request

        def refreshed(received: Any) -> None:
            if received.request is not first:
                watcher.refreshed()

        def over(_: object) -> None:
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop((user, package), None)

        watcher.notifier.on("subscribe", refreshed)
        watcher.notifier.on("terminated", over)
