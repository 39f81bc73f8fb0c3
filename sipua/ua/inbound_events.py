"""SUBSCRIBE and NOTIFY that come to us outside of dialogs (:rfc:`6665#section-4.2.1`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua import events
from sipua.bodies import parse_body
from sipua.errors import InvalidStateError
from sipua.sip import Dialog, Event, ParseError, make_response
from sipua.ua.outofdialog import Incoming, IncomingRequest

if TYPE_CHECKING:
    from sipua.session.headers import HeaderPairs
    from sipua.sip import Request, ServerTransaction
    from sipua.ua.config import Configuration
    from sipua.ua.notifier import Notifier
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")

#: Seconds that the application may take for its answer: the peer's transaction ends after 32 (:rfc:`4320#section-4.2`).
ANSWER_LIMIT = 28.0


class IncomingSubscribe(Incoming):
    """Somebody wants to be told of `event`: take it with `UA.notify`, or `reject` it."""

    def __init__(self, ua: UA, transaction: ServerTransaction, request: Request, event: Event) -> None:
        super().__init__(ua, transaction, request)
        self.event = event
        """The package, and the id if there is one."""
        self.dialog = Dialog.from_uas(request, transaction.to_tag)
        self.dialog.confirm()
        ua.subscribes[id(request)] = self
        self._limit = ua.loop.call_later(ANSWER_LIMIT, self._too_late)

    @property
    def expires(self) -> int | None:
        """The duration asked for, in seconds; 0 for just the present state, None when the choice is ours."""
        return self.request.expires

    @property
    def accepts(self) -> tuple[str, ...]:
        """The content types that the subscriber reads; empty when it does not say."""
        return tuple(f"{one.mime_type}".lower() for one in self.request.accept or ())

    def take(self, notifier: Notifier) -> None:
        """Answer 200; from now on the subscription is the notifier's.

        :raises InvalidStateError: it was answered already.
        """
        if self._answered:
            raise InvalidStateError("notify", "answered")
        self._respond(200, None, notifier.accept(self.expires), b"", "")
        notifier.begin()

    def finish(self) -> None:
        """The handlers have returned: nobody here knows the package, unless somebody took it or will."""
        if not self._answered and not self._deferred:
            self.reject(489, extra_headers=allow_events(self._ua.configuration))

    def _too_late(self) -> None:
        if not self._answered:
            logger.warning("%s: a SUBSCRIBE was not answered in %.0f s", self._ua, ANSWER_LIMIT)
            self.reject(480)

    def _respond(
        self, code: int, phrase: str | None, headers: HeaderPairs, body: str | bytes, content_type: str
    ) -> None:
        super()._respond(code, phrase, headers, body, content_type)
        self._limit.cancel()
        self._ua.subscribes.pop(id(self.request), None)


class IncomingNotify(IncomingRequest):
    """A NOTIFY that nobody subscribed to: `body` is what it says."""


def allow_events(configuration: Configuration) -> tuple[tuple[str, str], ...]:
    """The Allow-Events header, if any package is known (:rfc:`6665#section-8.2.2`)."""
    packages = configuration.allow_events
    return (("Allow-Events", ", ".join(packages)),) if packages else ()


def on_subscribe(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    """A SUBSCRIBE that begins a subscription, if somebody wants it."""
    code, headers = _refusal(ua, request)
    subscribe = None
    if code is None:
        try:
            assert request.event is not None
            subscribe = IncomingSubscribe(ua, transaction, request, request.event)
        except ParseError as error:
            code = error.status or 400
    if subscribe is None:
        response = make_response(request, code or 400, to_tag=transaction.to_tag, headers=headers)
        ua.respond(transaction, response)
        return
    event = events.NewSubscribe(subscribe.event.package, subscribe, request)
    ua.emit_then("new_subscribe", event, subscribe.finish)


def _refusal(ua: UA, request: Request) -> tuple[int | None, tuple[tuple[str, str], ...]]:
    packages, least = ua.configuration.allow_events, ua.configuration.subscription_min_expires
    try:
        event, expires = request.event, request.expires
        if event is None or not request.contact:
            return 400, ()
        _ = request.accept
    except ParseError as error:
        return error.status or 400, ()
    if not ua.has_handlers("new_subscribe") or (packages and event.package not in packages):
        return 489, allow_events(ua.configuration)
    if expires is not None and 0 < expires < least:
        return 423, (("Min-Expires", str(least)),)
    return None, ()


def on_notify(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    """A NOTIFY outside of subscriptions: waiting messages, "check-sync", what servers tell unasked."""
    code = None
    try:
        event = request.event
        if event is None:
            code = 400
        elif not ua.has_handlers("sip_event"):
            code = 481  # RFC 6665 §4.1.3
    except ParseError as error:
        event, code = None, error.status or 400
    if event is None or code is not None:
        ua.respond(transaction, make_response(request, code or 400, to_tag=transaction.to_tag))
        return
    notify = IncomingNotify(ua, transaction, request)
    content = None
    if request.body:
        try:
            content = parse_body(notify.content_type, request.body)
        except ParseError as error:
            logger.warning("%s: a body that cannot be read: %s", ua, error)
    ua.emit("sip_event", events.SipEvent(event.package, notify, request, content))
    notify.finish()
