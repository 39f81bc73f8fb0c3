"""The transaction layer at work: on an event loop's clock, over a transport, with credentials.

Frames come in here and become messages, messages and time go through the transaction layer, and what comes of it goes
to the transaction's user or back on the wire.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sipua.errors import AuthenticationError, NotConnected, ParseError
from sipua.events import Cause
from sipua.session.host import NoResponse, Receiver, TransactionUser
from sipua.sip import (
    AckReceived,
    Request,
    RequestReceived,
    Response,
    ResponseReceived,
    TransactionLayer,
    TransactionTerminated,
    TransactionTimedOut,
    TransportFailed,
    make_response,
    parse_message,
)
from sipua.sip.redaction import redact, summary
from sipua.transport.alarm import Alarm

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sipua.sip import ClientTransaction, DigestClient, ServerTransaction
    from sipua.transport import Transport

logger = logging.getLogger("sipua.sip")

#: At the debug level: every SIP message as it goes over the wire, without credentials.
trace = logging.getLogger("sipua.trace")


class Endpoint:
    """One connection's worth of SIP."""

    def __init__(
        self,
        transport: Transport,
        *,
        sent_by: str,
        authenticator: DigestClient | None,
        on_request: Callable[[ServerTransaction, Request], None],
        rand: random.Random,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = transport
        self.authenticator = authenticator
        self.layer = TransactionLayer(via_transport=transport.via_transport, sent_by=sent_by, rand=rand)
        self.on_transaction: Callable[[str, object], None] | None = None
        self.on_trace: Callable[[str, str | bytes], None] | None = None
        self._on_request = on_request
        self._alarm = Alarm(self.loop, self._deadline)
        self._flushing = False
        self._heard = False
        self._silent_since: float | None = None
        transport.on_message = self.receive

    @property
    def silence(self) -> float:
        """Seconds since the first message was sent, while no message at all has come; 0.0 after one has."""
        if self._heard or self._silent_since is None:
            return 0.0
        return self.loop.time() - self._silent_since

    # --- out -----------------------------------------------------------------------------------------------

    def send_request(
        self,
        request: Request,
        receiver: Receiver,
        *,
        next_cseq: Callable[[], int] | None = None,
        authenticate: bool = True,
    ) -> RequestSender:
        """Send `request` in a transaction and answer its challenges; `receiver` hears of the rest."""
        sender = RequestSender(self, request, receiver, next_cseq, authenticate=authenticate)
        if self.transport.is_connected:
            if authenticate and self.authenticator is not None:
                self.authenticator.preload(request)
            sender.send()
        else:
            self.loop.call_soon(sender.give_up, Cause.CONNECTION_ERROR)
        return sender

    def send_ack(self, request: Request) -> None:
        """Send an ACK to a 2xx, with a branch of its own."""
        self.layer.send_ack(request)
        self.flush()

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Answer a request."""
        transaction.respond(response, self.loop.time())
        self.flush()

    def release(self, transaction: ServerTransaction | ClientTransaction) -> None:
        """Let go of what an answered INVITE keeps; not while somebody is told about transactions."""
        if self.on_transaction is None:
            transaction.release()

    def flush(self) -> None:
        """Send what is to be sent, tell what is to be told, until there is nothing more; set the alarm."""
        if self._flushing:
            return
        self._flushing = True
        layer = self.layer
        try:
            while True:
                messages = layer.take_messages()
                for message, _ in messages:
                    self._write(message)
                happened = layer.take_events()
                for event in happened:
                    self._dispatch(event)
                if not messages and not happened:
                    break
        finally:
            self._flushing = False
        self._alarm.set(self.layer.next_deadline())

    def _write(self, message: Request | Response) -> None:
        data = message.frame()
        if self.on_trace is not None:
            self.on_trace("out", data)
        try:
            self.transport.send(data)
        except NotConnected:
            logger.debug("not sent, the connection is down: %s", summary(message))
            return
        if self._silent_since is None:
            self._silent_since = self.loop.time()
        if trace.isEnabledFor(logging.DEBUG):
            self._log("sent to", data)

    def _log(self, way: str, data: str | bytes) -> None:
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if text.strip():  # no keep-alive
            trace.debug("%s %s\n%s", way, self.transport.url, redact(text))

    def _deadline(self) -> None:
        self.layer.handle_timeout(self.loop.time())
        self.flush()

    # --- in ------------------------------------------------------------------------------------------------

    def receive(self, data: str | bytes) -> None:
        """One frame of the transport. Whatever is in it, nothing is raised."""
        if self.on_trace is not None:
            self.on_trace("in", data)
        if trace.isEnabledFor(logging.DEBUG):
            self._log("received from", data)
        try:
            message = parse_message(data)
        except ParseError as error:
            self._refuse(error)
            return
        if message is None:
            return  # a keep-alive
        self._heard = True
        self.layer.receive(message, self.loop.time())
        self.flush()

    def _refuse(self, error: ParseError) -> None:
        logger.warning("%s: bad message: %s", self.transport.url, error)
        request = error.request
        if error.status is None or not isinstance(request, Request) or request.method == "ACK":
            return
        try:
            response = make_response(request, error.status, error.phrase, headers=error.headers)
            self.layer.send(response)
        except ValueError:
            return
        self.flush()

    def transport_lost(self) -> None:
        """The connection is gone, and with it all that was under way on it."""
        self.layer.transport_failed(None, self.loop.time())
        self.flush()

    def _dispatch(self, event: object) -> None:
        try:
            if isinstance(event, ResponseReceived):
                if event.transaction.user is not None:
                    event.transaction.user.on_transaction_event(event)
            elif isinstance(event, RequestReceived):
                if self.on_transaction is not None:
                    self.on_transaction("new", event.transaction)
                self._on_request(event.transaction, event.request)
            elif isinstance(event, TransactionTerminated) and self.on_transaction is not None:
                self.on_transaction("destroyed", event.transaction)
            elif isinstance(event, AckReceived) and event.transaction is None:
                logger.debug("an ACK that belongs to nothing: %s", summary(event.request))
            else:
                user = event.transaction.user  # type: ignore[attr-defined]
                if user is not None:
                    user.on_transaction_event(event)
        except Exception:
            logger.exception("%s could not be handled", type(event).__name__)

    def close(self) -> None:
        """Stop the clock."""
        self._alarm.cancel()


class RequestSender:
    """A request until its final response, through challenges and re-sendings (:rfc:`3261#section-22.2`).

    With a 2xx to an INVITE, `receiver` is also called for every repetition of it and for other branches' 2xx.
    """

    __slots__ = (
        "_authenticate",
        "_cancelled",
        "_endpoint",
        "_next_cseq",
        "_over",
        "_receiver",
        "request",
        "transaction",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        receiver: Receiver,
        next_cseq: Callable[[], int] | None,
        *,
        authenticate: bool,
    ) -> None:
        self.request = request
        self.transaction: ClientTransaction | None = None
        self._endpoint = endpoint
        self._receiver = receiver
        self._next_cseq = next_cseq
        self._authenticate = authenticate
        self._cancelled = False
        self._over = False

    def send(self) -> None:
        """Send the request as it is now, in a transaction of its own."""
        endpoint = self._endpoint
        transaction = endpoint.layer.request(self.request, endpoint.loop.time(), user=self)
        self.transaction = transaction
        if endpoint.on_transaction is not None:
            endpoint.on_transaction("new", transaction)
        endpoint.flush()

    def cancel(self, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Cancel the INVITE: now, or when it may be (:rfc:`3261#section-9.1`)."""
        self._cancelled = True
        if self.transaction is not None:
            self.transaction.cancel(self._endpoint.loop.time(), headers=headers)
            self._endpoint.flush()

    def retire(self, user: TransactionUser | None) -> None:
        """What still comes is for `user`; let go of all the rest."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.user = user
            self._endpoint.release(transaction)

    def give_up(self, cause: Cause, response: Response | None = None) -> None:
        """Tell that there is no (usable) final response."""
        if not self._over:
            self._over = True
            self._receiver(NoResponse(cause, response))

    def on_transaction_event(self, event: object) -> None:
        """An event of the present transaction."""
        if isinstance(event, ResponseReceived):
            response = event.response
            if (
                response.code in (401, 407)
                and event.transaction is self.transaction
                and self._answer(response)
            ):
                return
            if response.code >= 200:
                self._over = True
                if self._endpoint.authenticator is not None:
                    self._endpoint.authenticator.accepted(self.request, response)
            self._receiver(response)
        elif isinstance(event, TransactionTimedOut):
            self.give_up(Cause.REQUEST_TIMEOUT)
            self._endpoint.transport.check()
        elif isinstance(event, TransportFailed):
            self.give_up(Cause.CONNECTION_ERROR)

    def _answer(self, response: Response) -> bool:
        """Send the request again with credentials. False when the response is the final one."""
        authenticator = self._endpoint.authenticator
        if authenticator is None or not self._authenticate or self._cancelled or self.transaction is None:
            return False
        sequence = self._next_cseq() if self._next_cseq is not None else self.request.cseq.sequence + 1
        again = self.transaction.resubmission(sequence)
        try:
            authenticator.authorize(again, response)
        except AuthenticationError as error:
            logger.warning("%s %s: %s", self.request.method, self.request.uri, error)
            return False
        self.request = again
        self.send()
        return True
