"""Requests to us: which dialog they belong to, what they begin, or why they are refused (:rfc:`3261#section-8.2`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua import events
from sipua.errors import ParseError
from sipua.session import incoming, replaces, timers
from sipua.session.negotiation import refusal_of_body
from sipua.session.session import RTCSession
from sipua.sip import check_request, make_response
from sipua.ua.inbound_events import on_notify, on_subscribe
from sipua.ua.outofdialog import IncomingMessage, IncomingOptions
from sipua.ua.refer import ReferDialog
from sipua.ua.verification import when_verified

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sipua.sip import Request, ServerTransaction
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")

METHODS = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "MESSAGE",
    "REFER",
    "SUBSCRIBE",
    "NOTIFY",
)
EXTENSIONS = ("outbound", "gruu", "path", "replaces", "norefersub", "timer", "100rel", "trickle-ice")
ALLOW = ("Allow", ", ".join(METHODS))


def extensions(*, session_timers: bool, trickle_ice: bool) -> tuple[str, ...]:
    """The option tags that we support; some may be switched off."""
    off = {"timer": not session_timers, "trickle-ice": not trickle_ice}
    return tuple(name for name in EXTENSIONS if not off.get(name))


def on_request(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    """A new request, neither ACK nor CANCEL."""
    try:
        check_request(request, supported=ua.extensions, schemes=("sip", "sips", "tel"))
        _dispatch(ua, transaction, request)
    except ParseError as error:
        _refuse(ua, transaction, request, error.status or 400, error.headers, error.phrase)


def _dispatch(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    if request.method != "INVITE" and "Replaces" in request.headers:  # RFC 3891 §3
        _refuse(ua, transaction, request, 400)
        return
    to_tag = request.to_tag
    if (
        to_tag
        and request.method == "MESSAGE"
        and ua.find_dialog((request.call_id, to_tag, request.from_tag or ""))
    ):
        _on_message(ua, transaction, request)  # whoever it is from, a call or not: it is for the application
    elif to_tag:
        user = ua.find_dialog((request.call_id, to_tag, request.from_tag or ""))
        if user is None and request.method == "NOTIFY":  # it may come before the response (RFC 6665 §4.4.1)
            user = ua.find_dialog((request.call_id, to_tag, ""))
        if user is not None:
            user.receive_request(transaction, request)
        else:
            _refuse(ua, transaction, request, 481)
    elif not ua.identity.is_ours(request.uri):
        _refuse(ua, transaction, request, 404)
    elif (handler := _OUT_OF_DIALOG.get(request.method)) is not None:
        handler(ua, transaction, request)
    elif request.method in METHODS:  # it makes sense in a dialog only
        _refuse(ua, transaction, request, 481)
    else:
        _refuse(ua, transaction, request, 405, (ALLOW,))


def _refuse(
    ua: UA,
    transaction: ServerTransaction,
    request: Request,
    code: int,
    headers: tuple[tuple[str, str], ...] = (),
    phrase: str | None = None,
) -> None:
    logger.info("%s: %s from %s refused with %d", ua, request.method, request.from_address.uri, code)
    ua.respond(transaction, make_response(request, code, phrase, to_tag=transaction.to_tag, headers=headers))


def _on_invite(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    refusal = _refusal_of_content(ua, request)
    if refusal is None and "Replaces" in request.headers:
        _on_replacing_invite(ua, transaction, request)
        return
    refusal = refusal or _refusal_of_call(ua)
    if refusal is not None:
        _refuse(ua, transaction, request, *refusal)
        return
    session = RTCSession(ua, "incoming")
    ua.add_session(session)
    incoming.receive_invite(
        session, transaction, request, no_answer_timeout=ua.configuration.no_answer_timeout
    )

    def announce() -> None:
        ua.emit("new_rtc_session", events.NewRTCSession("remote", session, request))
        incoming.ring(session)

    when_verified(ua, session, announce)


def _on_replacing_invite(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    """One that wants to take the place of a call of ours; that call's handlers decide (:rfc:`3891#section-3`)."""
    try:
        wanted = request.replaces
    except ParseError as error:
        _refuse(ua, transaction, request, error.status or 400)
        return
    if wanted is None or "Join" in request.headers:  # RFC 3911 §4: never both
        _refuse(ua, transaction, request, 400)
        return
    old = ua.find_call(wanted)
    code = replaces.refusal(old, wanted) if isinstance(old, RTCSession) else old
    if code is not None or not isinstance(old, RTCSession):
        _refuse(ua, transaction, request, code or 481)
        return
    session = RTCSession(ua, "incoming")
    ua.add_session(session)
    incoming.receive_invite(
        session, transaction, request, no_answer_timeout=ua.configuration.no_answer_timeout
    )
    event = events.NewRTCSession("remote", session, request)

    def ask() -> None:
        # The check may have taken its time: the call to be replaced may be over by now.
        code = replaces.refusal(old, wanted)
        if code is not None:
            session.terminate(status_code=code)
        else:
            replaces.receive(old, session, request, lambda: ua.emit("new_rtc_session", event))

    when_verified(ua, session, ask)


def _refusal_of_content(ua: UA, request: Request) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    wrong = refusal_of_body(request)
    if wrong is not None:
        return wrong
    if not request.contact:
        return 400, ()
    try:
        return timers.refusal(ua.session_timers, request)
    except ParseError:
        return 400, ()


def _refusal_of_call(ua: UA) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    limit = ua.configuration.max_calls
    if limit is not None and sum(not session.is_ended() for session in ua.sessions) >= limit:
        return 486, ()
    if ua.is_stopping or not ua.has_handlers("new_rtc_session"):
        return 480, ()  # nobody could ever answer it
    return None


def _on_message(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    if not ua.has_handlers("new_message"):
        _refuse(ua, transaction, request, 480)  # nobody would read it
        return
    message = IncomingMessage(ua, transaction, request)
    ua.emit_then("new_message", events.NewMessage("remote", message, request), message.finish)


def _on_options(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    options = IncomingOptions(ua, transaction, request)
    ua.emit_then("new_options", events.NewOptions("remote", options, request), options.finish)


def _on_refer(ua: UA, transaction: ServerTransaction, request: Request) -> None:
    ReferDialog(ua).receive_refer(transaction, request)


_OUT_OF_DIALOG: Mapping[str, Callable[[UA, ServerTransaction, Request], None]] = {
    "INVITE": _on_invite,
    "MESSAGE": _on_message,
    "OPTIONS": _on_options,
    "REFER": _on_refer,
    "SUBSCRIBE": on_subscribe,
    "NOTIFY": on_notify,
}
