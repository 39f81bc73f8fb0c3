"""The stateful proxy (:rfc:`3261#section-16`): checks a request, finds its targets, sends it there.

What is forwarded comes out exactly as it came in, but for what section 16.6 demands: Request-URI, Max-Forwards, our
part of Route, our credentials, Record-Route and Via. The responses are the business of `sipua.server.forking`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from sipua.server.forking import UNSERVED, Forwarding
from sipua.server.refusal import Refusal
from sipua.server.routing import Router, Target, Way, record_route
from sipua.sip import ParseError, check_request

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from sipua.server.calls import Calls
    from sipua.server.core import Core
    from sipua.server.flow import Flow
    from sipua.server.gatekeeper import Gatekeeper
    from sipua.server.location import Location
    from sipua.server.names import Names
    from sipua.sip import Request, ServerTransaction

logger = logging.getLogger("sipua.server")

SCHEMES = ("sip", "sips", "tel")
#: Requests that begin a dialog that we stay in. Not MESSAGE and OPTIONS: there is nothing to stay in.
_DIALOG_FORMING = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
_DEFAULT_MAX_FORWARDS = 70


class Watching(NamedTuple):
    """Who serves the SUBSCRIBEs that no telephone takes, and what is seen of calls for that."""

    user: str
    """The name under which the agent is registered."""
    packages: Container[str]
    calls: Calls
    location: Location
    users: Container[str]

    def agent_for(self, request: Request, way: Way) -> Target | None:
        """The agent, if a request is one that it serves."""
        event = request.event if request.method == "SUBSCRIBE" else None
        if event is None or event.package not in self.packages or way.uri.user not in self.users:
            return None
        binding = next(iter(self.location.targets(self.user)), None)
        return None if binding is None else Target(binding.contact.uri, binding.flow)


class Proxy:
    """Forwards every request but REGISTER. `accounts` are the users who must prove that they are it."""

    def __init__(
        self,
        core: Core,
        router: Router,
        gatekeeper: Gatekeeper,
        names: Names,
        accounts: Container[str],
        *,
        timer_c: float,
        authenticate_in_dialog: bool,
        watching: Watching | None = None,
    ) -> None:
        self._core = core
        self._router = router
        self._gatekeeper = gatekeeper
        self._names = names
        self._accounts = accounts
        self._timer_c = timer_c
        self._authenticate_in_dialog = authenticate_in_dialog
        self._watching = watching
        self._on_their_way: dict[str, Request] = {}
        """What was forwarded, as it had come in, by the branch that we gave it."""

    def forward(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """Send a request on its way, or answer it when it is meant for the server itself.

        :raises Refusal: why not.
        :raises ParseError: it is no good; its status is the answer.
        """
        check_request(request, schemes=SCHEMES, proxy=True)
        self._check_loop(request)
        way = self._router.way(request)
        if request.method == "OPTIONS" and self._router.is_for_us(way):
            self._core.reply(transaction, 200)
            return
        in_dialog = request.to_tag is not None
        self._authorize(request, flow, way, in_dialog=in_dialog)
        resort = None if in_dialog or self._watching is None else self._watching.agent_for(request, way)
        try:
            targets = self._router.targets(way, flow, in_dialog=in_dialog)
        except Refusal as refusal:
            if resort is None or refusal.code not in UNSERVED:
                raise
            targets, resort = [resort], None
        forwarding = Forwarding(self._core, transaction, timer_c=self._timer_c, index=self._on_their_way)
        if resort is not None:
            last = [resort]
            forwarding.last_resort = lambda: self._copies(request, way, last, flow)
        if self._watching is not None:
            forwarding.on_response = self._watching.calls.on_response
            if in_dialog:
                self._watching.calls.on_request(request)
        forwarding.send(self._copies(request, way, targets, flow))

    def forward_ack(self, ack: Request, flow: Flow) -> None:
        """Send the ACK to a 2xx after its INVITE; what has no way is dropped, for an ACK has no answer."""
        try:
            check_request(ack, schemes=SCHEMES, proxy=True)
            way = self._router.way(ack)
            targets = self._router.targets(way, flow, in_dialog=True)
        except (Refusal, ParseError) as error:
            logger.debug("%s: an ACK that goes nowhere: %s", flow, error)
            return
        for copy, target in self._copies(ack, way, targets[:1], flow):
            self._core.send_ack(copy, target)

    # --- may it -------------------------------------------------------------------------------------------------------

    def _check_loop(self, request: Request) -> None:
        """Refuse what comes back to us unchanged (:rfc:`3261#section-16.3`, step 4).

        The same request for another Request-URI may pass again: a client has sent it on.
        """
        for via in request.via[1:]:
            before = self._on_their_way.get(via.branch or "")
            if before is not None and before.call_id == request.call_id and before.uri == request.uri:
                raise Refusal(482)

    def _authorize(self, request: Request, flow: Flow, way: Way, *, in_dialog: bool) -> None:
        """Ask for credentials, unless the sender has proved already that it belongs to the dialog."""
        if flow.trusted:
            return
        is_member = in_dialog and way.peers is not None and flow.id in way.peers
        if is_member and not self._authenticate_in_dialog:
            return
        user = self._gatekeeper.authenticate(request, flow, self._core.now(), proxy=True)
        name = request.from_address.uri.user
        if name != user and name in self._accounts:
            logger.warning("%s: %s may not send %s as %s", flow, user, request.method, name)
            raise Refusal(403, "Not Your Address")

    # --- copies (RFC 3261 section 16.6) -------------------------------------------------------------------------------

    def _copies(
        self, request: Request, way: Way, targets: list[Target], source: Flow
    ) -> Iterator[tuple[Request, Flow]]:
        hops = request.max_forwards
        hops = _DEFAULT_MAX_FORWARDS if hops is None else hops - 1
        stay = request.method in _DIALOG_FORMING and request.to_tag is None
        for uri, flow in targets:
            copy = request.copy()
            copy.uri = uri
            headers = copy.headers
            headers.set("Max-Forwards", str(hops))
            if "Route" in headers and way.routes != headers.values("Route"):
                headers.setlist("Route", way.routes)
            self._gatekeeper.strip_credentials(copy)
            if stay:
                headers.prepend("Record-Route", record_route(self._names, request.uri, source, flow))
            yield copy, flow
