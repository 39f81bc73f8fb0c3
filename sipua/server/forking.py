"""A request on its way: from one client to one or several others, and the responses back (:rfc:`3261#section-16.7`).

A `Forwarding` is the response context of section 16: it belongs to the server transaction, and each `Branch` of it to
a client transaction. It ends when all of these have ended; nothing else refers to it. ::

    caller ── server transaction ── Forwarding ─┬─ Branch ── client transaction ── contact 1
                                                └─ Branch ── client transaction ── contact 2

Provisional responses (but 100) and every 2xx pass at once. What else is final is kept until no branch is left that
could still say 2xx, and then the best goes back. After a 2xx or a 6xx the other branches are cancelled.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.server.best import best_response, collect_challenges, translated
from sipua.server.flow import Flow
from sipua.sip import (
    Cancelled,
    ClientTransaction,
    ResponseReceived,
    TimerC,
    TransactionTerminated,
    TransactionTimedOut,
    TransportFailed,
    make_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sipua.server.core import Core
    from sipua.sip import Request, Response, ServerTransaction
    from sipua.sip.transaction_events import Event

logger = logging.getLogger("sipua.server")


#: What telephones say that do not serve what was asked, or that are not there.
UNSERVED = frozenset({405, 408, 430, 480, 489, 501})


class Branch:
    """One copy of the request. `final` is its final response, or the one that stands for having none."""

    __slots__ = ("final", "forwarding", "transaction")

    def __init__(self, forwarding: Forwarding) -> None:
        self.forwarding = forwarding
        self.transaction: ClientTransaction
        self.final: Response | None = None

    def on_event(self, event: Event, now: float) -> None:
        """Something happened to the client transaction."""
        forwarding = self.forwarding
        if isinstance(event, ResponseReceived):
            forwarding.response(self, event.response, now)
        elif isinstance(event, TransactionTimedOut):
            forwarding.no_response(self, 408, now)
        elif isinstance(event, TransportFailed):
            forwarding.no_response(self, 430, now)
        elif isinstance(event, TimerC):
            self.transaction.cancel(now)
        elif isinstance(event, TransactionTerminated):
            forwarding.over(self)


class Forwarding:
    """The response context of one request. `timer_c` is in seconds (:rfc:`3261#section-16.8`).

    While a copy is on its way, `index` has the request under the copy's branch.
    """

    def __init__(
        self, core: Core, transaction: ServerTransaction, *, timer_c: float, index: dict[str, Request]
    ) -> None:
        self.transaction = transaction
        self._core = core
        self._timer_c = timer_c
        self._index = index
        self._branches: list[Branch] = []
        self.last_resort: Callable[[], Iterable[tuple[Request, Flow]]] | None = None
        """Makes the copies that are sent when the others are refused with one of `UNSERVED`."""
        self.on_response: Callable[[Request, Response, tuple[Flow, ...]], None] | None = None
        """Gets each response that goes back, with the connections that it is about."""
        self._began = core.now()
        transaction.user = self

    @property
    def request(self) -> Request:
        """As it came from the caller."""
        return self.transaction.request

    def send(self, copies: Iterable[tuple[Request, Flow]]) -> None:
        """Send copies of the request, all at the same time, each over its own connection."""
        for request, flow in copies:
            branch = Branch(self)
            self._branches.append(branch)
            timer_c = self._timer_c if request.method == "INVITE" else None
            branch.transaction = self._core.request(request, flow, branch, timer_c=timer_c)
            self._index[branch.transaction.branch] = self.request

    def over(self, branch: Branch) -> None:
        """Nothing can come from this branch any more."""
        self._index.pop(branch.transaction.branch, None)

    # --- from the caller ----------------------------------------------------------------------------------------------

    def on_event(self, event: Event, now: float) -> None:
        """Something happened to the server transaction."""
        if isinstance(event, Cancelled):
            reasons = [("Reason", value) for value in event.request.headers.getlist("Reason")]
            self._cancel_pending(now, reasons)
        elif isinstance(event, TransportFailed):
            # Nobody is there to hear an answer.
            self._cancel_pending(now)

    def _cancel_pending(self, now: float, headers: Iterable[tuple[str, str]] = ()) -> None:
        if self.request.method != "INVITE":
            return
        for branch in self._branches:
            if branch.final is None:
                branch.transaction.cancel(now, headers=headers)

    # --- from the called ----------------------------------------------------------------------------------------------

    def response(self, branch: Branch, response: Response, now: float) -> None:
        """A response of one branch, whose topmost Via is ours."""
        if response.code == 100:
            return
        response.headers.remove_first("Via")
        if not response.via:
            return
        if response.code < 200:
            if self._core.respond(self.transaction, response):
                self._told(response, branch)
        elif response.code < 300:
            branch.final = response
            self._forward(response)
            self._told(response, branch)
            self._cancel_pending(now)
        else:
            self._refused(branch, response, now)

    def no_response(self, branch: Branch, code: int, now: float) -> None:
        """A branch that ended without a response counts as if it had said `code`."""
        if branch.final is None:
            self._refused(branch, make_response(self.request, code, to_tag=self.transaction.to_tag), now)

    def _refused(self, branch: Branch, response: Response, now: float) -> None:
        branch.final = response
        if response.code >= 600:
            self._cancel_pending(now)
        finals = [branch.final for branch in self._branches if branch.final is not None]
        if len(finals) < len(self._branches) or any(final.code < 300 for final in finals):
            return
        best = best_response(finals)
        if best.code in UNSERVED and self.last_resort is not None:
            copies, self.last_resort = self.last_resort(), None
            self.send(copies)
            return
        collect_challenges(best, finals)
        if (code := translated(best.code)) != best.code:
            best = make_response(self.request, code, to_tag=self.transaction.to_tag)
        self._forward(best)

    def _forward(self, response: Response) -> None:
        """Hand on a final response; only a further 2xx to an INVITE comes through behind another."""
        first = not self.transaction.is_answered
        if self._core.respond(self.transaction, response) and first:
            self._log(response)
            if response.code >= 300:
                self._told(response)

    def _told(self, response: Response, branch: Branch | None = None) -> None:
        if self.on_response is None:
            return
        flows = (self.transaction.flow, branch.transaction.flow if branch is not None else None)
        self.on_response(self.request, response, tuple(flow for flow in flows if isinstance(flow, Flow)))

    def _log(self, response: Response) -> None:
        request = self.request
        if request.to_tag is None:
            logger.info(
                "%s %s → %s: %d %s (%.2f s)",
                request.method,
                request.from_address.uri,
                request.uri,
                response.code,
                response.phrase,
                self._core.now() - self._began,
            )
