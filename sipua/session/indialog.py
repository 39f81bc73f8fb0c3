"""Requests of the peer inside the call's dialog (:rfc:`3261#section-12.2.2`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipua import events
from sipua.session import dtmf, notify, reinvite, terminate, trickle, update
from sipua.session.reply import respond
from sipua.session.states import Event, State, allowed
from sipua.session.trickle_peers import PACKAGE
from sipua.sip import OutOfOrder, ParseError

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog, Request, ServerTransaction

#: What has nothing to do with offer and answer, and need not wait for them; and what is refused at once when it meets
#: another offer, or waits for media by itself.
_URGENT = frozenset({"BYE", "OPTIONS", "INFO", "REFER", "NOTIFY", "SUBSCRIBE", "INVITE", "UPDATE"})

Handler = Callable[["RTCSession", "ServerTransaction", "Request"], None]
Negotiator = Callable[["RTCSession", "Dialog", "ServerTransaction", "Request"], None]


def receive_request(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """Called by the user agent for each request in one of the session's dialogs, but ACK and CANCEL."""
    session._post(lambda: _handle(session, transaction, request), urgent=request.method in _URGENT)


def _handle(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    dialog = session._dialog
    if dialog is None or dialog.remote_tag != request.from_tag:
        dialog = session._early_dialogs.get(request.from_tag or "")
    usages = session._refers
    beyond_call = bool(usages) and request.method in ("NOTIFY", "SUBSCRIBE")  # RFC 5057 §4.2
    if session._bye_sent and request.method == "BYE":  # both hang up at once (RFC 5407 §3.2.1)
        respond(session, transaction, request, 200)
        return
    if dialog is None or (session.status is State.ENDED and not beyond_call):
        respond(session, transaction, request, 481)
        return
    try:
        dialog.receive_request(request)
    except (OutOfOrder, ParseError) as error:
        respond(session, transaction, request, error.status or 400)
        return
    negotiate = NEGOTIATING.get(request.method)
    if negotiate is not None:
        negotiate(session, dialog, transaction, request)
        return
    handler = HANDLERS.get(request.method)
    if handler is None:
        respond(session, transaction, request, 405)
        return
    try:
        handler(session, transaction, request)
    except ParseError as error:  # a header that only its handler reads
        respond(session, transaction, request, error.status or 400, error.headers, phrase=error.phrase)


def _on_bye(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    if not allowed(session.status, Event.BYE_IN):
        respond(session, transaction, request, 481)
        return
    respond(session, transaction, request, 200)
    terminate.on_bye(session, request)


def _on_options(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """As for an INVITE at this moment (:rfc:`3261#section-11.2`): in a dialog, we could take one."""
    respond(session, transaction, request, 200, (*session._headers(), ("Accept", "application/sdp")))


def _on_info(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """An INFO of the peer: candidates or DTMF if it is that, else the application's."""
    package = trickle.package_of(request)
    if package == PACKAGE and session._trickle.mode != "off":
        session._trickle.receive(transaction, request)
        return
    content_type = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if content_type in dtmf.CONTENT_TYPES:
        tone = dtmf.parse(content_type, request.text)
        if tone is None:
            respond(session, transaction, request, 400)
            return
        respond(session, transaction, request, 200)
        session.emit("new_dtmf", events.NewDTMF("remote", *tone, request))
    elif package and not session.has_handlers("new_info"):
        trickle.bad_package(session, transaction, request)
    elif not session.has_handlers("new_info") and request.body:
        accepted = (("Accept", ", ".join(dtmf.CONTENT_TYPES)),)
        respond(session, transaction, request, 415, accepted)
    else:
        respond(session, transaction, request, 200)
        session.emit("new_info", events.NewInfo("remote", content_type, request.body, request))


def _on_prack(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    session._reliable.receive(transaction, request)


HANDLERS: dict[str, Handler] = {
    "BYE": _on_bye,
    "OPTIONS": _on_options,
    "INFO": _on_info,
    "PRACK": _on_prack,
    "REFER": notify.on_refer,
    "NOTIFY": notify.on_notify,
    "SUBSCRIBE": notify.on_subscribe,
}

NEGOTIATING: dict[str, Negotiator] = {
    "INVITE": reinvite.on_reinvite,
    "UPDATE": update.on_update,
}
