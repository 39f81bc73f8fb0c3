"""NOTIFY at the subscriber (:rfc:`6665#section-4.1.3`): is it ours, and what does it say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua import events
from sipua.bodies import parse_body
from sipua.events import Cause
from sipua.sip import Dialog, OutOfOrder, ParseError
from sipua.ua import subscription_states as states
from sipua.ua.subscription_states import SINGLE, State, advance

if TYPE_CHECKING:
    from sipua.session.headers import HeaderPairs
    from sipua.sip import Request
    from sipua.ua.subscription import Subscriber

logger = logging.getLogger("sipua.ua")

#: A NOTIFY that says another time than the last answer by no more than this changes no plan, in seconds.
SLACK = 2.0


def check(subscriber: Subscriber, request: Request) -> tuple[int, HeaderPairs]:
    """The answer that a request in the subscription's dialog gets: 200 if it is a NOTIFY of it."""
    if request.method != "NOTIFY":
        return 405, tuple(pair for pair in subscriber._ua.standard_headers() if pair[0] == "Allow")
    try:
        event, state = request.event, request.subscription_state
        if event is None or state is None:
            return 400, ()
        if (event.package, event.id) != (subscriber.event.package, subscriber.event.id):
            return 489, (("Allow-Events", subscriber.event.package),)
        return _place(subscriber, request), ()
    except (ParseError, OutOfOrder) as error:
        logger.warning("%s: a NOTIFY refused: %s", subscriber, error)
        return error.status or 400, ()


def _place(subscriber: Subscriber, request: Request) -> int:
    """Put the NOTIFY into its dialog, which the first one makes (:rfc:`6665#section-4.4.1`)."""
    dialog = subscriber._dialog
    if dialog is None:
        _establish(subscriber, request)
    elif dialog.remote_tag == (request.from_tag or ""):
        dialog.receive_request(request)
    elif subscriber.event.package in SINGLE or not subscriber.has_handlers("forked"):
        return 481
    return 200


def _establish(subscriber: Subscriber, request: Request) -> None:
    dialog = Dialog.from_uas(request, subscriber._local_tag)
    dialog.local_cseq = subscriber._cseq
    dialog.confirm()
    subscriber._dialog = dialog
    learn_route(subscriber)
    subscriber._ua.add_dialog(dialog.id, subscriber)
    if subscriber._expires > 0 and subscriber.expires_at <= subscriber._loop.time():
        subscriber._expires_in(float(subscriber._expires))  # until a response or NOTIFY says it better
    subscriber.emit("dialog_created", events.SubscriptionDialogCreated(request))


def learn_route(subscriber: Subscriber) -> None:
    """Take from the response what the NOTIFY did not say.

    Proxies put Record-Route into both (:rfc:`6665#section-4.3`); older ones into the SUBSCRIBE only, as :rfc:`3265`
    wanted it.
    """
    dialog, response = subscriber._dialog, subscriber._response
    if dialog is None or response is None or response.to_tag != dialog.remote_tag or dialog.route_set:
        return
    try:
        dialog.route_set = response.headers.values("Record-Route")[::-1]
    except ParseError as error:
        logger.warning("%s: %d: %s", subscriber, response.code, error)


def receive(subscriber: Subscriber, request: Request) -> None:
    """A NOTIFY that was answered with 200."""
    dialog = subscriber._dialog
    assert dialog is not None
    if dialog.remote_tag == (request.from_tag or ""):
        _apply(subscriber, request)
        return
    fork = subscriber._fork()
    _establish(fork, request)
    subscriber.emit("forked", events.SubscriptionForked(fork, request))
    _apply(fork, request)


def _apply(subscriber: Subscriber, request: Request) -> None:
    state = request.subscription_state
    assert state is not None
    if subscriber._expires > 0 and not subscriber._leaving:
        subscriber._timers.clear("N")
    is_final = state.state == "terminated"
    if not is_final:
        _advance(subscriber, request, pending=state.state == "pending")
        if state.expires is not None:
            _reschedule(subscriber, state.expires)
    if not subscriber._first.done():
        subscriber._first.set_result(None)
    _tell(subscriber, request, is_final=is_final)
    if is_final:
        subscriber._end(
            "remote",
            Cause.BYE,
            reason=state.reason,
            retry_after=None if state.retry_after is None else float(state.retry_after),
            message=request,
        )
    elif subscriber._leaving:
        subscriber._unsubscribe()


def _advance(subscriber: Subscriber, request: Request, *, pending: bool) -> None:
    subscriber._worked = True
    before = subscriber._state
    if before is State.TERMINATED:
        return
    event = states.Event.NOTIFY_PENDING if pending else states.Event.NOTIFY_ACTIVE
    after = subscriber._state = advance(before, event)
    if after is before:
        return
    if after is State.PENDING:
        subscriber.emit("pending", events.SubscriptionPending(request))
    else:
        subscriber.emit("active", events.SubscriptionActive(request))


def _reschedule(subscriber: Subscriber, expires: int) -> None:
    """The notifier's word on the duration holds (:rfc:`6665#section-4.1.3`)."""
    planned = subscriber.expires_at - subscriber._loop.time()
    if abs(planned - expires) > SLACK and expires > 0 and not subscriber._leaving:
        subscriber._expires_in(float(expires))


def _tell(subscriber: Subscriber, request: Request, *, is_final: bool) -> None:
    content_type = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    content = None
    if request.body:
        try:
            content = parse_body(content_type, request.body)
        except ParseError as error:
            logger.warning("%s: a body that cannot be read: %s", subscriber, error)
    if content is not None:
        _keep(subscriber, content)
    notification = events.SubscriptionNotify(is_final, request, request.text, content_type, content)
    if subscriber._queues:
        subscriber._recent.clear()
    subscriber._recent.append(notification)
    for queue in subscriber._queues:
        queue.put_nowait(notification)
    subscriber.emit("notify", notification)


def _keep(subscriber: Subscriber, content: object) -> None:
    """Put partial documents together; when one was lost, ask for the full state."""
    held = subscriber.content
    comes_in_parts = type(held) is type(content) and hasattr(held, "updated")
    after = held.updated(content) if comes_in_parts else content
    if after is not None:
        subscriber.content = after
    elif not subscriber._busy:
        subscriber._refresh()
