"""`Notifier`: telling a subscriber what happens here (:rfc:`6665#section-4.2`)."""

from __future__ import annotations

import logging
import math
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.bodies import encode_body
from sipua.emitter import Emitter
from sipua.errors import InvalidHeaderError, InvalidStateError, RequestFailed
from sipua.events import Cause, cause_of_status
from sipua.session.headers import HeaderLike, content_type_header, header_list
from sipua.session.host import NoResponse
from sipua.session.outcome import settle
from sipua.sip import OutOfOrder, ParseError, Response, SubscriptionState, make_response
from sipua.ua.pacing import USAGE_GONE, asked_delay
from sipua.ua.subscription_states import State
from sipua.ua.timers import TimerBox

if TYPE_CHECKING:
    import asyncio

    from sipua.bodies import Body
    from sipua.events import Originator
    from sipua.session.headers import HeaderPairs
    from sipua.sip import Address, Request, ServerTransaction
    from sipua.ua.inbound_events import IncomingSubscribe
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")

#: The duration of a subscription whose SUBSCRIBE asks for none, in seconds (the packages' RFCs say the same).
DEFAULT_EXPIRES = 3600

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")


@dataclass(slots=True)
class _Notification:
    """A NOTIFY that waits for its turn. `state` is that of the final one."""

    body: bytes
    content_type: str | None
    headers: HeaderPairs
    done: asyncio.Future[Response]
    state: str | None = None


class Notifier(Emitter):
    """One subscription to us. Made by `UA.notify`, which accepts the SUBSCRIBE.

    ::

        @ua.on("new_subscribe")
        def subscribed(event):
            notifier = ua.notify(event.subscribe, body=Presence("sip:alice@example.com", …))
            notifier.on("terminated", …)

    The first NOTIFY goes in the next turn, one more follows each refresh, and the last one ends the subscription: they
    carry the body that was given last. `notify` tells a new state. NOTIFYs are sent one after the other, in order.
    """

    event_names = frozenset({"subscribe", "terminated"})

    def __init__(
        self,
        ua: UA,
        subscribe: IncomingSubscribe,
        body: bytes,
        content_type: str | None,
        *,
        pending: bool,
        max_expires: int,
        headers: HeaderPairs,
    ) -> None:
        super().__init__()
        self.event = subscribe.event
        """The package, and the id if there is one."""
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self.expires_at = 0.0
        """When it ends unless it is refreshed, in seconds of the event loop's clock."""
        self._ua = ua
        self._loop = ua.loop
        self._subscribe = subscribe
        self._dialog = subscribe.dialog
        self._body = body
        self._content_type = content_type
        self._max_expires = max_expires
        self._headers = headers
        self._state = State.PENDING if pending else State.ACTIVE
        self._timers = TimerBox(ua.loop)
        self._queue: deque[_Notification] = deque()
        self._sending: _Notification | None = None
        self._started = False
        self._told = False  # a NOTIFY has followed the last SUBSCRIBE
        self._unsubscribed = False
        self._dirty = False  # the connection broke before the subscriber heard of the present state
        self._gone: asyncio.Future[None] = ua.loop.create_future()

    def __str__(self) -> str:
        return f"notifier of {self.event.package} for {self.remote_identity.uri} ({self._state.value})"

    @property
    def state(self) -> State:
        """Where it is: ``pending``, ``active`` or ``terminated``."""
        return self._state

    @property
    def id(self) -> str:
        """The dialog's Call-ID and tags."""
        return "".join(self._dialog.id)

    @property
    def remote_identity(self) -> Address:
        """The subscriber."""
        return self._dialog.remote_uri

    # --- what the application asks for ---------------------------------------------------------------------

    def start(self) -> None:
        """Send the first NOTIFY now and not in the next turn. May be called, need not be."""
        if not self._started and self._state is not State.TERMINATED:
            self._started = True
            self._received(self._subscribe.request)

    def notify(
        self,
        body: str | bytes | Body | None = None,
        content_type: str | None = None,
        *,
        extra_headers: HeaderLike = (),
    ) -> asyncio.Future[Response]:
        """Tell the subscriber: `body` is the state from now on; without it, the last one is told again.

        :returns: the answer to the NOTIFY; `RequestFailed` for one of 300 or more, or none.
        :raises InvalidStateError: the subscription is over.
        """
        if self._state is State.TERMINATED:
            raise InvalidStateError("notify", "terminated")
        headers = header_list(extra_headers)
        self._set_body(body, content_type)
        self._started = self._told = True
        if not self._unsubscribed:
            return self._post(headers)
        done = self._post(headers, SubscriptionState("terminated", reason="timeout"))
        self._end("remote", Cause.BYE)
        return done

    def set_active_state(self, body: str | bytes | Body | None = None) -> asyncio.Future[Response]:
        """Allow a subscription that was pending, and tell so; see `notify`."""
        if self._state is State.PENDING:
            self._state = State.ACTIVE
        return self.notify(body)

    def terminate(
        self,
        body: str | bytes | Body | None = None,
        reason: str | None = None,
        retry_after: int | None = None,
    ) -> asyncio.Future[None]:
        """End the subscription with a last NOTIFY.

        :param reason: why, for the subscriber (:rfc:`6665#section-4.1.3`): ``rejected`` and ``noresource`` keep it
            from asking again, ``deactivated`` and ``timeout`` let it at once, ``probation`` and ``giveup`` later.
        :param retry_after: seconds that it should wait.
        :returns: done when the NOTIFY was answered, or given up; nothing needs to wait for it.
        :raises InvalidStateError: it is over already.
        :raises InvalidHeaderError: a reason that is no token, or no number of seconds.
        """
        if self._state is State.TERMINATED:
            raise InvalidStateError("terminate", "terminated")
        if reason is not None and not _TOKEN.fullmatch(reason):
            raise InvalidHeaderError(f"reason={reason!r}: not a token such as noresource")
        if retry_after is not None and not 0 <= retry_after < 2**32:
            raise InvalidHeaderError(f"retry_after={retry_after!r}: not a number of seconds")
        self._set_body(body, None)
        self._post((), SubscriptionState("terminated", reason=reason, retry_after=retry_after))
        self._end("local", Cause.BYE)
        return self._gone

    def _set_body(self, body: str | bytes | Body | None, content_type: str | None) -> None:
        if body is None:
            return
        content, kind = encode_body(body, content_type)
        kind = kind or self._content_type
        if content and not kind:
            raise ValueError("content_type: a body needs one")
        if kind:
            content_type_header(kind)
        self._body, self._content_type = content, kind

    # --- SUBSCRIBE -----------------------------------------------------------------------------------------

    def accept(self, asked: int | None) -> HeaderPairs:
        """Take the SUBSCRIBE: the duration granted, and the headers of the 200 that says it."""
        granted = min(DEFAULT_EXPIRES if asked is None else asked, self._max_expires)
        self._unsubscribed = granted == 0
        self.expires_at = self._loop.time() + granted
        if granted:
            self._timers.set("expiry", granted, self._expired)
        else:
            self._timers.clear("expiry")
        return (("Expires", str(granted)), ("Contact", self._ua.contact()), *self._ua.standard_headers())

    def begin(self) -> None:
        """The first SUBSCRIBE was answered with 200."""
        self._ua.event_users.add(self)
        self._ua.add_dialog(self._dialog.id, self)
        self._loop.call_soon(self.start)

    def receive_request(self, transaction: ServerTransaction, request: Request) -> None:
        """A request in the subscription's dialog; called by the user agent."""
        code, headers = self._check(request)
        accepted = code == 200
        if accepted:
            headers = self.accept(request.expires)
        else:
            self._dialog.refused(request)
        self._ua.respond(
            transaction, make_response(request, code, to_tag=transaction.to_tag, headers=headers)
        )
        if accepted:
            self._received(request)

    def _check(self, request: Request) -> tuple[int, HeaderPairs]:
        if request.method != "SUBSCRIBE":
            return 405, tuple(pair for pair in self._ua.standard_headers() if pair[0] == "Allow")
        try:
            event, expires = request.event, request.expires
            self._dialog.receive_request(request)
        except (ParseError, OutOfOrder) as error:
            return error.status or 400, ()
        if event is None:
            return 400, ()
        if (event.package, event.id) != (self.event.package, self.event.id):
            return 489, (("Allow-Events", self.event.package),)
        least = self._ua.configuration.subscription_min_expires
        if expires is not None and 0 < expires < least:
            return 423, (("Min-Expires", str(least)),)
        return 200, ()

    def _received(self, request: Request) -> None:
        """A NOTIFY must follow each SUBSCRIBE (:rfc:`6665#section-4.2.1.2`): the application's, or else ours."""
        self._told = False
        content_type = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        self.emit_then(
            "subscribe",
            events.SubscribeReceived(self._unsubscribed, request, request.text, content_type),
            lambda: None if self._told or self._state is State.TERMINATED else self._tell(),
        )

    def _tell(self) -> None:
        self.notify()

    def _expired(self) -> None:
        self._post((), SubscriptionState("terminated", reason="timeout"))
        self._end("system", Cause.EXPIRES)

    # --- NOTIFY --------------------------------------------------------------------------------------------

    def _post(self, headers: HeaderPairs, final: SubscriptionState | None = None) -> asyncio.Future[Response]:
        done: asyncio.Future[Response] = self._loop.create_future()
        state = None if final is None else str(final)
        self._queue.append(_Notification(self._body, self._content_type, headers, done, state))
        self._send_next()
        return done

    def _send_next(self) -> None:
        if self._sending is not None or not self._queue:
            return
        notification = self._sending = self._queue.popleft()
        self._timers.clear("again")
        headers = [
            ("Event", str(self.event)),
            ("Subscription-State", notification.state or self._state_value()),
            ("Contact", self._ua.contact()),
            *self._ua.standard_headers(),
            *self._headers,
            *notification.headers,
        ]
        request = self._dialog.request(
            "NOTIFY",
            headers=headers,
            body=notification.body,
            content_type=notification.content_type if notification.body else None,
        )
        self._ua.send_request(
            request, lambda result: self._on_result(notification, result), next_cseq=self._dialog.next_cseq
        )

    def _state_value(self) -> str:
        left = max(math.ceil(self.expires_at - self._loop.time()), 0)
        return str(SubscriptionState(self._state.value, expires=left))

    def _on_result(self, notification: _Notification, result: Response | NoResponse) -> None:
        if self._sending is not notification or (isinstance(result, Response) and result.code < 200):
            return
        self._sending = None
        if isinstance(result, Response):
            self._dialog.refresh(result)
        settle(notification.done, "NOTIFY", result)
        if isinstance(result, NoResponse) or result.code >= 300:
            self._on_failure(result)
        self._send_next()
        if self._state is State.TERMINATED and self._sending is None:
            self._finish()

    def _on_failure(self, result: Response | NoResponse) -> None:
        """A NOTIFY that failed ends the subscription unless it may yet work (:rfc:`6665#section-4.2.2`)."""
        if self._state is State.TERMINATED:
            self._drop_queue()
            return
        if isinstance(result, NoResponse):
            if result.cause is Cause.CONNECTION_ERROR:
                self._dirty = True
                self._drop_queue()
            else:
                self._drop_queue()
                self._end("system", result.cause)
        elif result.code in USAGE_GONE:
            self._drop_queue()
            self._end("remote", cause_of_status(result.code))
        elif (pause := asked_delay(result)) is not None:
            self._timers.set("again", pause, self.notify)
        else:
            logger.warning("%s: NOTIFY was answered %d", self, result.code)

    def _drop_queue(self) -> None:
        while self._queue:
            done = self._queue.popleft().done
            if not done.done():
                done.set_exception(RequestFailed("NOTIFY: not sent", cause=Cause.CONNECTION_ERROR))
                done.exception()  # nobody has to wait for it

    # --- what the user agent asks for ----------------------------------------------------------------------

    def connected(self) -> None:
        """There is a connection (again); called by the user agent."""
        if self._dirty and self._state is not State.TERMINATED:
            self._dirty = False
            self.notify()

    def connection_lost(self) -> None:
        """The connection is gone; the subscription stays until its time is over."""

    def leave(self) -> asyncio.Future[None]:
        """`terminate`, unless it is over already: the subscriber may ask again at once."""
        return self._gone if self._state is State.TERMINATED else self.terminate(reason="deactivated")

    def close(self) -> None:
        """Nothing more can be sent; called by the user agent."""
        self._drop_queue()
        if self._state is not State.TERMINATED:
            self._end("system", Cause.CONNECTION_ERROR)
        self._finish()

    # --- being over ----------------------------------------------------------------------------------------

    def _end(self, originator: Originator, cause: Cause) -> None:
        if self._state is State.TERMINATED:
            return
        self._state = State.TERMINATED
        self._timers.clear_all()
        self._ua.remove_dialog(self._dialog.id)
        self.emit("terminated", events.NotifierTerminated(originator, cause))

    def _finish(self) -> None:
        self._ua.event_users.discard(self)
        if not self._gone.done():
            self._gone.set_result(None)
