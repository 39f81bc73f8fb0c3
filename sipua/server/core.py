"""Connections, transactions and the clock of the server: what is common to registrar and proxy.

Everything happens in one turn of the event loop, without waiting::

    frame → parse → transaction layer → event → registrar or proxy → response or copies → frames
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sipua._version import __version__
from sipua.errors import NotConnected
from sipua.server.flow import Flow
from sipua.sip import (
    AckReceived,
    ParseError,
    Request,
    RequestReceived,
    TransactionLayer,
    TransactionTerminated,
    make_response,
    parse_message,
)
from sipua.transport.alarm import Alarm
from sipua.transport.interface import PING, PONG

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from sipua.errors import TransportError
    from sipua.server.forking import Branch
    from sipua.sip import ClientTransaction, Response, ServerTransaction, Timers
    from sipua.sip.transaction import Transaction
    from sipua.sip.transaction_events import Event
    from sipua.transport import Connection, Data

logger = logging.getLogger("sipua.server")

#: What our own responses say in Server.
SERVER = f"sipua/{__version__}"

Tracer = Callable[[str, str, "Data"], None]


class CoreUser(Protocol):
    """What is built upon `Core`."""

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """A new request, to be answered or forwarded."""

    def on_ack(self, ack: Request, flow: Flow) -> None:
        """The ACK to a 2xx."""

    def on_flow_lost(self, flow: Flow) -> None:
        """A connection is gone; its transactions fail next."""

    def next_deadline(self) -> float | None:
        """When `handle_timeout` is to be called; None: not at all for now."""

    def handle_timeout(self, now: float) -> None:
        """The time has come."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client can ask of the server before it is refused."""

    connections: int = 1000
    """Clients at a time; a further one is disconnected with code 1013."""
    pending_requests: int = 500
    """Requests of one connection without final response; a further one gets 503."""
    bad_messages: int = 50
    """Messages in a row that are not SIP, after which a connection is closed with code 1008."""


class Core:
    """The transport and transaction side of the server; `user` decides what becomes of requests.

    `on_trace`, if set, is called with ``"in"`` or ``"out"``, the client's address and the data of each message.
    """

    def __init__(
        self, user: CoreUser, *, sent_by: str, timers: Timers, limits: Limits, rand: random.Random
    ) -> None:
        self.flows: dict[str, Flow] = {}
        self.layer = TransactionLayer(sent_by=sent_by, role="proxy", timers=timers, rand=rand)
        self.on_trace: Tracer | None = None
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._rand = rand
        self._alarm = Alarm(self._loop, self._deadline)
        self._flushing = False
        self._closing: set[asyncio.Task[None]] = set()
        self._pending: dict[Transaction, Flow] = {}

    def now(self) -> float:
        """The time in seconds, on the event loop's clock."""
        return self._loop.time()

    # --- connections --------------------------------------------------------------------------------------------------

    def accept(self, connection: Connection, *, trusted: bool = False, traced: bool = True) -> None:
        """Take a new connection."""
        if len(self.flows) >= self._limits.connections and not trusted:
            logger.warning("%s: refused, there are %d connections already", connection.peer, len(self.flows))
            self._close(connection, 1013, "too many connections")
            return
        flow = Flow(f"{self._rand.getrandbits(96):024x}", connection, trusted=trusted, traced=traced)
        self.flows[flow.id] = flow
        connection.on_message = lambda data: self._receive(flow, data)
        connection.on_close = lambda error: self._lost(flow, error)
        logger.debug("%s: connected", flow)

    def _lost(self, flow: Flow, error: TransportError | None) -> None:
        if self.flows.pop(flow.id, None) is None:
            return
        logger.debug("%s: disconnected (%s)", flow, error or "by us")
        self._user.on_flow_lost(flow)
        self.layer.transport_failed(flow, self.now())
        self.flush()

    def _close(self, connection: Connection, code: int, reason: str) -> None:
        task = self._loop.create_task(connection.close(code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Stop the clock, close the connections that are left, and wait for that."""
        for flow in tuple(self.flows.values()):
            self._close(flow.connection, 1001, "the server is going away")
        while self._closing:
            await asyncio.wait(tuple(self._closing))
        self._alarm.cancel()

    # --- in -----------------------------------------------------------------------------------------------------------

    def _receive(self, flow: Flow, data: Data) -> None:
        if self.on_trace is not None and flow.traced:
            self.on_trace("in", flow.connection.peer, data)
        try:
            message = parse_message(data)
        except ParseError as error:
            self._bad_message(flow, error)
            return
        flow.bad_messages = 0
        if message is None:
            if data in (PING, PING.encode()):
                self._send(flow, PONG)
            return
        try:
            self.layer.receive(message, self.now(), flow)
        except ParseError as error:
            self._bad_message(flow, error)
        self.flush(flow)

    def _bad_message(self, flow: Flow, error: ParseError) -> None:
        flow.bad_messages += 1
        logger.warning("%s: bad message: %s", flow, error)
        if (response := self._response_to(error)) is not None:
            self._send(flow, response.frame())
        if flow.bad_messages == self._limits.bad_messages:
            logger.warning("%s: closed, %d bad messages in a row", flow, flow.bad_messages)
            self._close(flow.connection, 1008, "too many bad messages")

    def _response_to(self, error: ParseError) -> Response | None:
        if error.status is None or not isinstance(error.request, Request):
            return None
        try:
            return make_response(error.request, error.status, error.phrase, headers=error.headers)
        except ValueError:
            return None  # nothing in it to answer to

    # --- out ----------------------------------------------------------------------------------------------------------

    def request(
        self, request: Request, flow: Flow, user: Branch, *, timer_c: float | None
    ) -> ClientTransaction:
        """Send a request over `flow` in a transaction of its own."""
        self.layer.via_transport = flow.connection.via_transport
        return self.layer.request(request, self.now(), flow=flow, user=user, timer_c=timer_c)

    def send_ack(self, ack: Request, flow: Flow) -> None:
        """Send the ACK to a 2xx."""
        self.layer.via_transport = flow.connection.via_transport
        self.layer.send(ack, flow)

    def respond(self, transaction: ServerTransaction, response: Response) -> bool:
        """Answer a request; False when it is too late for that."""
        if response.code >= 200:
            self._not_pending(transaction)
        return transaction.respond(response, self.now())

    def reply(
        self,
        transaction: ServerTransaction,
        code: int,
        phrase: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Answer a request with a response of our own."""
        fields = (*headers, ("Server", SERVER))
        tag = transaction.to_tag
        self.respond(
            transaction, make_response(transaction.request, code, phrase, to_tag=tag, headers=fields)
        )

    def _send(self, flow: Flow, data: Data) -> bool:
        if self.on_trace is not None and flow.traced:
            self.on_trace("out", flow.connection.peer, data)
        try:
            flow.connection.send(data)
        except NotConnected:
            return False
        return True

    # --- the engine ---------------------------------------------------------------------------------------------------

    def flush(self, source: Flow | None = None) -> None:
        """Send what is to be sent, tell what is to be told, until there is nothing more; set the alarm.

        `source` is the connection that the message being handled came over.
        """
        if self._flushing:
            return
        self._flushing = True
        layer = self.layer
        try:
            while True:
                messages = layer.take_messages()
                for message, flow in messages:
                    if isinstance(flow, Flow) and not self._send(flow, message.frame()):
                        # Its on_close follows; until then nothing of it must be relied on.
                        layer.transport_failed(flow, self.now())
                events = layer.take_events()
                for event in events:
                    self._dispatch(event, source)
                if not messages and not events:
                    break
        finally:
            self._flushing = False
        self._alarm.set(self._next_deadline())

    def _dispatch(self, event: Event, source: Flow | None) -> None:
        try:
            if isinstance(event, RequestReceived):
                self._new_request(event.transaction, event.request)
                return
            if isinstance(event, AckReceived):
                if source is not None:
                    self._user.on_ack(event.request, source)
                return
            if isinstance(event, TransactionTerminated):
                self._not_pending(event.transaction)
            if event.transaction.user is not None:
                event.transaction.user.on_event(event, self.now())
        except Exception:
            logger.exception("a %s could not be handled", type(event).__name__)

    def _new_request(self, transaction: ServerTransaction, request: Request) -> None:
        flow = transaction.flow
        assert isinstance(flow, Flow)
        if flow.pending >= self._limits.pending_requests:
            logger.warning("%s: %d requests wait for their answers, no more are taken", flow, flow.pending)
            self.reply(transaction, 503, headers=(("Retry-After", "10"),))
            return
        flow.pending += 1
        self._pending[transaction] = flow
        try:
            self._user.on_request(transaction, request, flow)
        except Exception:
            logger.exception("%s from %s could not be handled", request.method, flow)
            self.reply(transaction, 500)

    def _not_pending(self, transaction: Transaction) -> None:
        flow = self._pending.pop(transaction, None)
        if flow is not None:
            flow.pending -= 1

    # --- time ---------------------------------------------------------------------------------------------------------

    def _next_deadline(self) -> float | None:
        deadlines = (self.layer.next_deadline(), self._user.next_deadline())
        return min((when for when in deadlines if when is not None), default=None)

    def _deadline(self) -> None:
        now = self.now()
        self._user.handle_timeout(now)
        self.layer.handle_timeout(now)
        self.flush()
