"""The transaction layer: finds the transaction a message belongs to, makes new ones, and runs their timers.

::

      frame -> parse -> receive(message, now, flow) --> take_events()   -> transaction user
    TU --> request(...), transaction.respond(...)  --> take_messages() -> serialise -> flow
               next_deadline() -> the caller's clock -> handle_timeout(now)

No I/O, no clock, no callbacks: time is an argument, everything to send or to tell is taken from a queue.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from .identifiers import new_branch, new_tag
from .message import Request, Response, make_response
from .timers import Timers
from .transaction import Context, ServerKey
from .transaction_client import ClientTransaction
from .transaction_events import AckReceived, Cancelled, Event, RequestReceived
from .transaction_server import ServerTransaction
from .transaction_states import Durations, State, Timer, timer_durations

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Counts", "TransactionLayer"]

#: what the branch of everybody but RFC 2543 implementations begins with (:rfc:`3261#section-8.1.1.7`)
_MAGIC_COOKIE: Final = "z9hg4bk"

#: seconds after which a request that was refused for lack of room may be tried again
_RETRY_AFTER: Final = 10


class Counts(NamedTuple):
    """How much a layer holds. All zero when everything is over."""

    clients: int
    servers: int
    merged: int
    acks: int
    deadlines: int


class TransactionLayer:
    """All transactions of one user agent or proxy (:rfc:`3261#section-17`).

    `via_transport` and `sent_by` make our Via. `reliable` says that no message is lost on the way to the next
    hop: retransmissions are left out. `role` ``"proxy"`` leaves 2xx and their ACKs to the two ends and looks
    for no merged requests. With `detect_merged` a request that arrives again by another way gets 482
    (:rfc:`3261#section-8.2.2.2`). With `max_transactions` requests under way, further ones get 503.

    A `flow` is whatever the caller uses for a connection: it comes back with each message to send.
    """

    def __init__(
        self,
        *,
        via_transport: str = "WS",
        sent_by: str = "invalid.invalid",
        reliable: bool = True,
        timers: Timers | None = None,
        detect_merged: bool = True,
        max_transactions: int | None = None,
        role: Literal["ua", "proxy"] = "ua",
        rand: random.Random | None = None,
    ) -> None:
        self.via_transport = via_transport
        self.sent_by = sent_by
        self.timers = timers or Timers()
        self.max_transactions = max_transactions
        self._rand = rand or random.SystemRandom()
        self._proxy = role == "proxy"
        self._detect_merged = detect_merged and not self._proxy
        self._durations: dict[bool, Durations] = {
            value: timer_durations(self.timers, reliable=value) for value in (False, True)
        }
        self._reliable = reliable
        self._context = Context(self.timers, self._rand)

    def __len__(self) -> int:
        """How many transactions are not over."""
        return len(self._context.clients) + len(self._context.servers)

    @property
    def counts(self) -> Counts:
        """How many entries each index holds."""
        context = self._context
        return Counts(
            len(context.clients),
            len(context.servers),
            len(context.merged),
            len(context.acks),
            len(context.deadlines),
        )

    # --- output --------------------------------------------------------------------------------------------

    def take_messages(self) -> list[tuple[Request | Response, Hashable]]:
        """What is to be sent, with its flow, in order. Each message is handed out once."""
        messages = self._context.messages
        if messages:
            self._context.messages = []
        return messages

    def take_events(self) -> list[Event]:
        """What happened, in order. Each event is handed out once."""
        events = self._context.events
        if events:
            self._context.events = []
        return events

    # --- time ----------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `handle_timeout` wants to be called, at the latest; None: not at all for now."""
        return self._context.deadlines.next()

    def handle_timeout(self, now: float) -> None:
        """Run every timer that is due at `now`."""
        pop = self._context.deadlines.pop
        while (due := pop(now)) is not None:
            transaction, timer = due
            transaction.fire(timer, now)

    # --- sending -------------------------------------------------------------------------------------------

    def request(
        self,
        request: Request,
        now: float,
        *,
        flow: Hashable = None,
        user: object = None,
        timer_c: float | None = None,
        reliable: bool | None = None,
    ) -> ClientTransaction:
        """Send a request in a client transaction of its own. It gets our Via on top, with a new branch.

        `timer_c` is how many seconds an INVITE may be left with provisional responses only (more than 180 in
        a proxy, :rfc:`3261#section-16.6`); it runs from the first one on, and anew from each but a 100.
        """
        method = request.method
        if method in ("ACK", "CANCEL"):
            raise ValueError(
                f"{method} is sent with {'send_ack' if method == 'ACK' else 'ClientTransaction.cancel'}"
            )
        durations = self._durations[self._reliable if reliable is None else reliable]
        if timer_c is not None:
            durations = {**durations, Timer.C: timer_c}
        branch = self._push_via(request)
        transaction = ClientTransaction(self._context, request, branch, flow, durations, now)
        transaction.user = user
        return transaction

    def send(self, message: Request | Response, flow: Hashable = None) -> None:
        """Send without a transaction. A request gets our Via on top, a response goes out as it is."""
        if isinstance(message, Request):
            self._push_via(message)
        self._context.messages.append((message, flow))

    def send_ack(self, ack: Request, flow: Hashable = None) -> None:
        """Send a user agent's own ACK to a 2xx (:rfc:`3261#section-13.2.2.4`).

        Its first time it gets our Via; each later time, because the 2xx came again, it goes out unchanged.
        """
        if "Via" not in ack.headers:
            self._push_via(ack)
        self._context.messages.append((ack, flow))

    def _push_via(self, request: Request) -> str:
        branch = new_branch(self._rand)
        request.headers.prepend("Via", f"SIP/2.0/{self.via_transport} {self.sent_by};branch={branch}")
        return branch

    # --- receiving -----------------------------------------------------------------------------------------

    def receive(self, message: Request | Response, now: float, flow: Hashable = None) -> None:
        """A message from the network. What it means comes as events, if it means anything."""
        if isinstance(message, Response):
            self._receive_response(message, now)
            return
        method = message.method
        if method == "ACK":
            self._receive_ack(message, now)
            return
        key = self._server_key(message, method)
        transaction = self._context.servers.get(key)
        if transaction is not None:
            transaction.flow = flow
            transaction.receive(message, now)
        elif method == "CANCEL":
            self._receive_cancel(message, key, now, flow)
        else:
            self._receive_new(message, key, now, flow)

    def _receive_response(self, response: Response, now: float) -> None:
        vias = response.via
        branch = vias[0].branch or ""
        key = (branch, "CANCEL") if response.cseq.method == "CANCEL" else branch
        transaction = self._context.clients.get(key)
        # Stray responses are dropped, RFC 6026 section 7.2; so are those that were not meant to end here,
        # RFC 3261 section 8.1.3.3.
        if transaction is None or not (len(vias) == 1 or self._proxy):
            return
        if transaction.is_answered_by(response):
            transaction.receive(response, now)

    def _receive_new(self, request: Request, key: ServerKey, now: float, flow: Hashable) -> None:
        context = self._context
        if self.max_transactions is not None and len(context.servers) >= self.max_transactions:
            tag, headers = new_tag(self._rand), (("Retry-After", str(_RETRY_AFTER)),)
            context.messages.append((make_response(request, 503, to_tag=tag, headers=headers), flow))
            return
        merge_key: ServerKey | None = None
        merged = False
        if self._detect_merged and not request.to_tag:
            cseq = request.cseq
            merge_key = (request.call_id, request.from_tag, cseq.sequence, cseq.method)
            merged = merge_key in context.merged
        transaction = ServerTransaction(
            context,
            request,
            key,
            flow,
            self._durations[self._reliable],
            now,
            proxy=self._proxy,
            merge_key=None if merged else merge_key,
            internal=merged,
        )
        if merged:
            transaction.reply(now, 482)
        else:
            context.events.append(RequestReceived(transaction, request))

    def _receive_ack(self, ack: Request, now: float) -> None:
        context = self._context
        transaction = context.servers.get(self._server_key(ack, "INVITE"))
        if transaction is not None and transaction.state is not State.ACCEPTED:
            transaction.receive(ack, now)
            return
        # The ACK to a 2xx is a transaction of its own; only its dialog tells whose it is.
        transaction = context.acks.get((ack.call_id, ack.from_tag, ack.to_tag, ack.cseq.sequence))
        if transaction is not None:
            transaction.receive(ack, now)
        else:
            context.events.append(AckReceived(None, ack))

    def _receive_cancel(self, cancel: Request, key: ServerKey, now: float, flow: Hashable) -> None:
        """Answer a CANCEL, and pass it on if its INVITE is still open (:rfc:`3261#section-9.2`)."""
        context = self._context
        invite = context.servers.get(self._server_key(cancel, "INVITE"))
        durations = self._durations[self._reliable]
        transaction = ServerTransaction(context, cancel, key, flow, durations, now, internal=True)
        if invite is None:
            transaction.reply(now, 481)
            return
        transaction.to_tag = invite.to_tag
        transaction.reply(now, 200)
        if invite.state is State.PROCEEDING and not invite.cancelled:
            invite.cancelled = True
            context.events.append(Cancelled(invite, cancel))

    def transport_failed(self, flow: Hashable, now: float) -> None:
        """The connection `flow` is gone for good: its transactions fail (:rfc:`3261#section-17.1.4`).

        An INVITE that a user agent answered with 2xx lives on, for its ACK may come on another connection.
        """
        context = self._context
        for transaction in [*context.clients.values(), *context.servers.values()]:
            if transaction.flow == flow:
                transaction.fail(now)

    def _server_key(self, request: Request, method: str) -> ServerKey:
        """What a request is told from others by (:rfc:`3261#section-17.2.3`)."""
        via = request.via[0]
        branch = via.branch
        if branch is not None and len(branch) > 7 and branch[:7].lower() == _MAGIC_COOKIE:
            return (branch, via.host.lower(), via.port, method)
        return (str(request.uri), request.from_tag, request.call_id, request.cseq.sequence, str(via), method)
