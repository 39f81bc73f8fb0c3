"""`Subscriber`: being told of what happens elsewhere (:rfc:`6665#section-4.1`)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from sipua import events
from sipua.emitter import Emitter
from sipua.errors import InvalidStateError, RequestTimeout, SipuaError
from sipua.events import Cause, cause_of_status
from sipua.session.host import NoResponse
from sipua.session.outcome import failure_of, settle
from sipua.sip import Event, Response, Timers, make_response, new_call_id, new_tag
from sipua.ua import subscription_notify
from sipua.ua import subscription_states as states
from sipua.ua.pacing import LASTING, RETRY_MIN, USAGE_GONE, Backoff, asked_delay, refresh_delay
from sipua.ua.requests import new_request
from sipua.ua.subscription_states import LIVE, State, advance
from sipua.ua.timers import TimerBox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sipua.events import Originator
    from sipua.session.headers import HeaderPairs
    from sipua.sip import URI, Dialog, Request, ServerTransaction
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")

#: Timer N: so many seconds after a SUBSCRIBE there must be a NOTIFY (:rfc:`6665#section-4.1.2.4`).
TIMER_N = 64 * Timers().t1
#: Times that a Min-Expires is followed in a row.
MAX_RAISES = 3
#: NOTIFYs that are kept for an iteration that has not begun.
MAX_RECENT = 32


class Subscriber(Emitter):
    """One subscription, refreshed until `terminate`. Made by `UA.subscribe`, which sends the SUBSCRIBE.

    ::

        async with ua.subscribe("bob", "presence") as subscriber:
            async for notification in subscriber:
                print(notification.content.is_open)

    ``async with`` waits for the first NOTIFY (`wait_active`) and ends the subscription on leaving; ``async for``
    begins with the NOTIFYs that have come before it (the latest 32), and ends with the subscription.

    A subscription that once worked is had anew when it ends for a reason that allows it (:rfc:`6665#section-4.1.3`),
    when its server is back after a failure, and after each loss of the connection.
    """

    event_names = frozenset(
        {"accepted", "pending", "active", "notify", "forked", "terminated", "dialog_created"}
    )

    def __init__(
        self,
        ua: UA,
        target: URI,
        event: Event,
        *,
        expires: int,
        headers: HeaderPairs,
        from_value: str,
        body: bytes = b"",
        content_type: str | None = None,
        resubscribe: bool = True,
    ) -> None:
        super().__init__()
        self.target = target
        """Whose state it is."""
        self.event = event
        """The package, and the id if there is one."""
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self.content: Any = None
        """The state as last notified, one of `sipua.bodies`: partial notifications are put together."""
        self.expires_at = 0.0
        """When it ends unless it is refreshed, in seconds of the event loop's clock."""
        self._ua = ua
        self._loop = ua.loop
        self._expires = expires
        self._headers = headers
        self._from = from_value
        self._body = body
        self._content_type = content_type
        self._resubscribe = resubscribe and expires > 0
        self._state = State.INIT
        self._timers = TimerBox(ua.loop)
        self._backoff = Backoff(ua.rand)
        self._call_id = self._local_tag = ""
        self._cseq = 0
        self._dialog: Dialog | None = None
        self._response: Response | None = None  # the 2xx to the first SUBSCRIBE
        self._attempt = 0  # counts subscriptions: answers to requests of a former one mean nothing
        self._began = 0.0
        self._worked = False
        self._raises = 0
        self._busy = False
        self._next: tuple[int, bytes] | None = None
        self._leaving = False
        self._unsubscribed = False
        self._waiters: list[asyncio.Future[Response]] = []
        self._first: asyncio.Future[None] = ua.loop.create_future()
        self._gone: asyncio.Future[None] = ua.loop.create_future()
        self._recent: deque[events.SubscriptionNotify] = deque(maxlen=MAX_RECENT)
        self._queues: set[asyncio.Queue[events.SubscriptionNotify | None]] = set()

    def __str__(self) -> str:
        return f"subscription to {self.event.package} of {self.target} ({self._state.value})"

    @property
    def state(self) -> State:
        """Where it is: ``init``, ``notify_wait``, ``pending``, ``active``, ``waiting`` or ``terminated``."""
        return self._state

    @property
    def id(self) -> str | None:
        """The dialog's Call-ID and tags, or None before the first NOTIFY."""
        return "".join(self._dialog.id) if self._dialog is not None else None

    # --- what the application asks for ---------------------------------------------------------------------

    def subscribe(self, body: str | bytes = b"") -> asyncio.Future[Response]:
        """Send a SUBSCRIBE now: the first one, or a refresh, which brings a NOTIFY of the full state.

        :returns: the final response; `RequestFailed` for one of 300 or more, or none.
        :raises InvalidStateError: the subscription is over.
        """
        if self._state is State.TERMINATED or self._leaving:
            raise InvalidStateError("subscribe", self._state.value)
        done: asyncio.Future[Response] = self._loop.create_future()
        self._waiters.append(done)
        if self._state in (State.INIT, State.WAITING):
            self._start()
        elif self._state in LIVE:
            self._send(self._expires, body.encode() if isinstance(body, str) else body)
        return done  # in NOTIFY_WAIT, what is under way is what was asked for

    def terminate(self) -> asyncio.Future[None]:
        """End the subscription. What the notifier still tells until then is told.

        :returns: done when it is over; nothing needs to wait for it.
        :raises InvalidStateError: it is over already.
        """
        if self._state is State.TERMINATED:
            raise InvalidStateError("terminate", self._state.value)
        if not self._leaving:
            self._leaving = True
            self._timers.clear("refresh", "again")
            if self._state in LIVE:
                self._unsubscribe()
            elif (
                self._state is not State.NOTIFY_WAIT
            ):  # there, the NOTIFY brings the dialog to unsubscribe in
                self._end("local", Cause.BYE)
        return self._gone

    async def wait_active(self) -> None:
        """Wait for the first NOTIFY, whatever it says.

        :raises RequestFailed: refused, or no answer.
        """
        await asyncio.shield(self._first)

    async def wait_terminated(self) -> None:
        """Wait until the subscription is over for good."""
        await asyncio.shield(self._gone)

    async def __aenter__(self) -> Self:
        try:
            await self.wait_active()
        except asyncio.CancelledError:
            self.leave()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.shield(self.leave())

    async def __aiter__(self) -> AsyncIterator[events.SubscriptionNotify]:
        queue: asyncio.Queue[events.SubscriptionNotify | None] = asyncio.Queue()
        for notification in self._recent:
            queue.put_nowait(notification)
        while len(self._recent) > 1:
            self._recent.popleft()
        if self._gone.done():
            queue.put_nowait(None)
        self._queues.add(queue)
        try:
            while (following := await queue.get()) is not None:
                yield following
        finally:
            self._queues.discard(queue)

    # --- what the user agent asks for ----------------------------------------------------------------------

    def receive_request(self, transaction: ServerTransaction, request: Request) -> None:
        """A request in the subscription's dialog; called by the user agent."""
        code, headers = subscription_notify.check(self, request)
        self._ua.respond(
            transaction, make_response(request, code, to_tag=transaction.to_tag, headers=headers)
        )
        if code == 200:
            subscription_notify.receive(self, request)

    def connected(self) -> None:
        """There is a connection (again); called by the user agent."""
        if self._state is State.WAITING:
            self._start()

    def connection_lost(self) -> None:
        """The connection is gone, and with it the way of our NOTIFYs; called by the user agent."""
        if self._state in (State.NOTIFY_WAIT, *LIVE):
            self._end("system", Cause.CONNECTION_ERROR)

    def leave(self) -> asyncio.Future[None]:
        """`terminate`, unless it is over already; called by the user agent when it stops."""
        return self._gone if self._state is State.TERMINATED else self.terminate()

    def close(self) -> None:
        """Nothing more can be sent; called by the user agent."""
        if self._state is not State.TERMINATED:
            self._leaving = True
            self._end("system", Cause.CONNECTION_ERROR)

    # --- SUBSCRIBE -----------------------------------------------------------------------------------------

    def start_soon(self) -> None:
        """Begin in the next turn, so that handlers registered on what `UA.subscribe` returns miss nothing."""
        self._ua.event_users.add(self)
        self._loop.call_soon(self._start_once)

    def _start_once(self) -> None:
        if self._state is State.INIT:
            self._start()

    def _start(self) -> None:
        """A subscription in a dialog of its own, when there is a connection for it."""
        self._timers.clear("again")
        if not self._ua.is_connected():
            if self._state is State.INIT:
                self._state = advance(self._state, states.Event.LOST)
            return
        self._attempt += 1
        self._call_id, self._local_tag, self._cseq = new_call_id(), new_tag(), 0
        self._dialog = self._response = self.content = None
        self._busy, self._next, self._unsubscribed, self._raises = False, None, False, 0
        self._began = self._loop.time()
        self._state = advance(self._state, states.Event.SUBSCRIBE)
        self._await_notifies()
        self._send(self._expires, self._body)

    def _await_notifies(self) -> None:
        """Take NOTIFYs of any notifier for a while: they may come before the response, and from several branches."""
        awaited = (self._call_id, self._local_tag, "")
        self._ua.add_dialog(awaited, self)
        self._timers.set("forks", TIMER_N, lambda: self._ua.remove_dialog(awaited))

    def _fork(self) -> Subscriber:
        """The same subscription at one more notifier, in a dialog of its own; it is not had anew when it ends."""
        fork = Subscriber(
            self._ua,
            self.target,
            self.event,
            expires=self._expires,
            headers=self._headers,
            from_value=self._from,
            resubscribe=False,
        )
        fork._call_id, fork._local_tag, fork._cseq = self._call_id, self._local_tag, self._cseq
        fork._state = advance(fork._state, states.Event.SUBSCRIBE)
        self._ua.event_users.add(fork)
        return fork

    def _send(self, expires: int, body: bytes = b"") -> None:
        if self._busy:
            self._next = (expires, body)
            return
        self._busy = True
        self._timers.clear("refresh")
        request = self._request(expires, body)
        attempt = self._attempt
        self._timers.set("N", TIMER_N, self._no_notify)
        self._ua.send_request(
            request, lambda result: self._on_result(attempt, expires, result), next_cseq=self._next_cseq
        )

    def _request(self, expires: int, body: bytes) -> Request:
        headers = [
            ("Event", str(self.event)),
            ("Expires", str(expires)),
            ("Contact", self._ua.contact()),
            *self._ua.standard_headers(),
            *self._headers,
        ]
        if body and self._content_type:
            headers.append(("Content-Type", self._content_type))
        if self._dialog is not None:
            return self._dialog.request("SUBSCRIBE", headers=headers, body=body)
        return new_request(
            "SUBSCRIBE",
            self.target,
            from_=self._from,
            to=f"<{self.target}>",
            route=self._ua.identity.route(),
            headers=headers,
            body=body,
            call_id=self._call_id,
            sequence=self._next_cseq(),
            tag=self._local_tag,
        )

    def _next_cseq(self) -> int:
        if self._dialog is not None:
            return self._dialog.next_cseq()
        self._cseq += 1
        return self._cseq

    def _unsubscribe(self) -> None:
        if not self._unsubscribed:
            self._unsubscribed = True
            self._send(0)

    # --- its answer ----------------------------------------------------------------------------------------

    def _on_result(self, attempt: int, asked: int, result: Response | NoResponse) -> None:
        if isinstance(result, Response) and result.code < 200:
            return
        if attempt != self._attempt:
            if self._state is State.TERMINATED:  # a NOTIFY that ended it came first
                self._settle(result)
            return
        self._busy = False
        raised = self._raised(asked, result)
        if raised is not None:
            self._expires = raised
            self._raises += 1
            if self._dialog is None:
                self._await_notifies()
            self._send(raised, self._body if self._dialog is None else b"")
            return
        if isinstance(result, Response) and result.code < 300:
            self._accepted(asked, result)
        else:
            self._refused(asked, result)
        self._settle(result)
        following, self._next = self._next, None
        if following is not None and self._state in LIVE:
            self._send(*following)

    def _settle(self, result: Response | NoResponse) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            settle(waiter, "SUBSCRIBE", result)

    def _raised(self, asked: int, result: Response | NoResponse) -> int | None:
        """The duration to ask for instead, when ours is too brief (:rfc:`6665#section-4.1.2.1`)."""
        if not isinstance(result, Response) or result.code != 423 or self._raises >= MAX_RAISES:
            return None
        try:
            least = result.min_expires or 0
        except ValueError:
            return None
        return least if asked < least and asked > 0 else None

    def _accepted(self, asked: int, response: Response) -> None:
        self._raises = 0
        try:
            granted = min(asked, asked if response.expires is None else response.expires)
            if self._response is None:
                self._response = response
                subscription_notify.learn_route(self)
            elif self._dialog is not None:
                self._dialog.refresh(response)
        except ValueError as error:
            logger.warning("%s: a malformed %d: %s", self, response.code, error)
            granted = asked
        if granted > 0 and not self._leaving:
            self._expires_in(granted)
        if asked > 0 or not self._leaving:
            self.emit("accepted", events.SubscriptionAccepted(response, granted))

    def _refused(self, asked: int, result: Response | NoResponse) -> None:
        response = result if isinstance(result, Response) else None
        cause = result.cause if isinstance(result, NoResponse) else cause_of_status(result.code)
        self._timers.clear("N")
        lasting = response is not None and response.code in USAGE_GONE | LASTING
        if self._state in LIVE and not self._leaving and not lasting and cause is not Cause.CONNECTION_ERROR:
            # It lives on until its time is over (RFC 6665 §4.1.2.2); another try before that.
            left = self.expires_at - self._loop.time()
            asked_pause = asked_delay(response)
            pause = min(RETRY_MIN, left / 2) if asked_pause is None else min(asked_pause, left)
            logger.warning(
                "%s: not refreshed: %s; again in %.0f s", self, failure_of("SUBSCRIBE", result), pause
            )
            self._timers.set("refresh", max(pause, 1.0), self._refresh)
            return
        self._end(
            "remote" if response is not None else "system",
            cause,
            message=response,
            error=failure_of("SUBSCRIBE", result),
        )

    # --- time ----------------------------------------------------------------------------------------------

    def _expires_in(self, seconds: float) -> None:
        self.expires_at = self._loop.time() + seconds
        self._timers.set("expiry", seconds, self._expired)
        self._timers.set("refresh", refresh_delay(seconds, self._ua.rand), self._refresh)

    def _refresh(self) -> None:
        if self._state in LIVE and not self._leaving:
            self._send(self._expires)

    def _expired(self) -> None:
        self._end("system", Cause.EXPIRES)

    def _no_notify(self) -> None:
        if self._busy:
            return  # timer F ends the SUBSCRIBE at the same moment, and says what becomes of the rest
        self._end(
            "system",
            Cause.BYE if self._leaving else Cause.REQUEST_TIMEOUT,
            error=RequestTimeout("SUBSCRIBE: no NOTIFY came", cause=Cause.REQUEST_TIMEOUT),
        )

    # --- being over ----------------------------------------------------------------------------------------

    def _end(
        self,
        originator: Originator,
        cause: Cause,
        *,
        reason: str | None = None,
        retry_after: float | None = None,
        message: Request | Response | None = None,
        error: Exception | None = None,
    ) -> None:
        """The subscription is over: for good, or until there is a new one."""
        if self._state is State.TERMINATED:
            return
        if "forks" in self._timers:
            self._ua.remove_dialog((self._call_id, self._local_tag, ""))
        self._timers.clear_all()
        if self._dialog is not None:
            self._ua.remove_dialog(self._dialog.id)
        self._attempt += 1
        again = self._again(cause, reason, retry_after, message)
        self._state = advance(self._state, states.Event.OVER if again is None else states.Event.LOST)
        if again is None:
            self._over(error)
        elif cause is not Cause.CONNECTION_ERROR:
            self._timers.set("again", again, self._start)
        if self._leaving and cause is Cause.BYE:
            originator = "local"
        self.emit(
            "terminated",
            events.SubscriptionTerminated(originator, cause, reason, retry_after, again is not None, message),
        )

    def _again(
        self, cause: Cause, reason: str | None, retry_after: float | None, message: Request | Response | None
    ) -> float | None:
        """Seconds until a new subscription makes sense; None: never."""
        if self._leaving or not self._resubscribe or self._state is State.INIT:
            return None
        if cause is Cause.CONNECTION_ERROR:
            return 0.0
        if not self._worked:
            return None
        if isinstance(message, Response):
            if message.code == 481:
                return self._soon()
            return None if message.code in LASTING else self._backoff.next(asked_delay(message))
        if reason in states.NEVER:
            return None
        if cause is Cause.EXPIRES or reason in states.AT_ONCE:
            return self._soon()
        return self._backoff.next(retry_after)

    def _soon(self) -> float:
        """At once; but not if that is what happens all the time."""
        if self._loop.time() - self._began >= TIMER_N:
            self._backoff.reset()
            return 0.0
        return self._backoff.next()

    def _over(self, error: Exception | None) -> None:
        self._ua.event_users.discard(self)
        if error is None or not isinstance(error, SipuaError):
            error = InvalidStateError("SUBSCRIBE", self._state.value)
        futures: list[asyncio.Future[Any]] = [self._first]
        if not self._busy:  # else the response is still to come
            futures += self._waiters
            self._waiters.clear()
        for future in futures:
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody has to wait for it
        self._gone.set_result(None)
        for queue in self._queues:
            queue.put_nowait(None)
