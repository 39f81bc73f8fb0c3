"""Where a request goes: the clients to send it to (:rfc:`3261#section-16.4`, :rfc:`3261#section-16.5`).

A client can only be reached over the connection that it opened, so a dialog has to remember two connections. They
are in the user part of our Record-Route, ``sip:<one>-<other>@server;lr`` (flow tokens, :rfc:`5626#section-5.3`): what
comes over one of them goes out over the other. Flow ids are random and told to the two ends only, so that a token
is also a proof of belonging to the dialog.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sipua.server.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from sipua.server.flow import Flow
    from sipua.server.location import Location
    from sipua.server.names import Names
    from sipua.sip import URI, Address, Request

_TOKEN = re.compile(r"([0-9a-f]{24})-([0-9a-f]{24})")


class Target(NamedTuple):
    """A client: the Request-URI that it wants to see, and its connection."""

    uri: URI
    flow: Flow


class Way(NamedTuple):
    """What Request-URI and Route say before anything is looked up."""

    uri: URI
    routes: list[str]
    """What is left of Route."""
    peers: tuple[str, str] | None
    """The ids of the two connections of the dialog."""


def record_route(names: Names, uri: URI, one: Flow, other: Flow) -> str:
    """The Record-Route value that leads from each of two connections to the other."""
    scheme = "sips" if uri.scheme == "sips" else "sip"
    return f"<{scheme}:{one.id}-{other.id}@{names.own};lr>"


class Router:
    """Finds the targets of requests. `users` are those there are, registered or not.

    `aliases` are further user names, each with the user that stands behind it.
    """

    def __init__(
        self,
        location: Location,
        names: Names,
        users: Container[str],
        aliases: Mapping[str, str],
        flows: Mapping[str, Flow],
    ) -> None:
        self._location = location
        self._names = names
        self._users = users
        self._aliases = aliases
        self._flows = flows

    # --- Route --------------------------------------------------------------------------------------------------------

    def way(self, request: Request) -> Way:
        """Take from Route what is ours (:rfc:`3261#section-16.4`).

        :raises Refusal: what is left leads to another server.
        """
        uri = request.uri
        if "Route" not in request.headers and self._peers(uri) is None:
            return Way(uri, [], None)
        routes = request.headers.values("Route")
        addresses = request.route
        if (peers := self._peers(uri)) is not None and routes:
            # The sender is a strict router and has put the target last.
            uri = addresses.pop().uri
            routes.pop()
        while addresses and self._is_ours(addresses[0]):
            peers = self._peers(addresses.pop(0).uri) or peers
            routes.pop(0)
        if addresses and peers is None:
            raise Refusal(404, "No Way To The Next Hop")
        return Way(uri, routes, peers)

    def _is_ours(self, route: Address) -> bool:
        uri = route.uri
        if self._peers(uri) is not None:
            return True
        # Where a client wants to go by WebSocket is where it is connected, by whatever name it knows us.
        transport = (uri.parameters.get("transport") or "").lower()
        return uri.user is None and (transport in ("ws", "wss") or self._names.is_ours(uri))

    def _peers(self, uri: URI) -> tuple[str, str] | None:
        match = _TOKEN.fullmatch(uri.user or "") if self._names.is_own(uri) else None
        return None if match is None else (match[1], match[2])

    # --- targets ------------------------------------------------------------------------------------------------------

    def is_for_us(self, way: Way) -> bool:
        """Whether the server itself is asked."""
        return way.uri.user is None and not way.routes and self._names.is_ours(way.uri)

    def targets(self, way: Way, source: Flow, *, in_dialog: bool) -> list[Target]:
        """The clients that a request goes to, all at the same time.

        :raises Refusal: there is no such user (404), or it cannot be reached at present (480, 430).
        """
        uri = way.uri
        if in_dialog and way.peers is not None and source.id in way.peers:
            one, other = way.peers
            peer = self._flows.get(other if source.id == one else one)
            if peer is not None:
                return [Target(uri, peer)]
            # The peer has lost its connection; with luck it is there again, and known by its Contact.
            if (target := self._by_uri(uri)) is None:
                raise Refusal(430)
            return [target]
        if (target := self._by_uri(uri)) is not None:
            return [target]
        if in_dialog and way.peers is not None:
            return [Target(uri, self._remaining_peer(way.peers))]
        return self._of_user(uri)

    def _by_uri(self, uri: URI) -> Target | None:
        """The one client that a contact or a GRUU means."""
        if uri.scheme not in ("sip", "sips"):
            return None
        if "gr" in uri.parameters and self._names.is_ours(uri):
            binding = self._location.at_gruu(uri)
        else:
            binding = self._location.at_contact(uri)
        return None if binding is None else Target(binding.contact.uri, binding.flow)

    def _remaining_peer(self, peers: tuple[str, str]) -> Flow:
        """The end of a dialog that is still connected, for the one that has come back on another connection."""
        there = [flow for flow in map(self._flows.get, peers) if flow is not None]
        if len(there) != 1:
            raise Refusal(430)
        return there[0]

    def _of_user(self, uri: URI) -> list[Target]:
        user = self._aliases.get(uri.user or "", uri.user or "")
        if uri.scheme != "tel" and not self._names.is_ours(uri):
            raise Refusal(404, "Unknown Domain")
        if user not in self._users:
            raise Refusal(404)
        targets = [Target(binding.contact.uri, binding.flow) for binding in self._location.targets(user)]
        if not targets or "gr" in uri.parameters:
            raise Refusal(480)
        return targets
