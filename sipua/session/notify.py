"""REFER, NOTIFY and SUBSCRIBE in the call's dialog: transfer, and what else servers tell there (:rfc:`6665`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua import events
from sipua.session import referred
from sipua.session.reply import respond
from sipua.session.states import State
from sipua.session.subscriptions import PACKAGE

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Request, ServerTransaction

_ALLOW_EVENTS = (("Allow-Events", PACKAGE),)


def on_refer(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """The peer wants us to call somebody: possible in a call that is up."""
    if session.status not in (State.WAITING_FOR_ACK, State.CONFIRMED):
        respond(session, transaction, request, 403, phrase="Wrong Status")
        return
    referred.receive_refer(
        session._refer_usages,
        session,
        transaction,
        request,
        session,
        lambda code, headers, phrase: respond(session, transaction, request, code, headers, phrase=phrase),
    )


def on_notify(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """By event package: how a REFER of ours goes, or the application's (``talk``, ``hold`` …); 489 for nobody's."""
    event = request.event
    if event is None:
        respond(session, transaction, request, 400, phrase="Missing Event")
    elif event.package.lower() == PACKAGE:
        session._refer_usages().on_notify(transaction, request, event)
    elif session.has_handlers("notify"):
        respond(session, transaction, request, 200)
        kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        session.emit("notify", events.Notify(event.package, kind, request.body, request))
    else:
        respond(session, transaction, request, 489, _ALLOW_EVENTS)


def on_subscribe(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """The peer refreshes or ends what its REFER began; there is nothing else in a call to subscribe to."""
    event = request.event
    if event is None:
        respond(session, transaction, request, 400, phrase="Missing Event")
    elif event.package.lower() == PACKAGE:
        session._refer_usages().on_subscribe(transaction, request, event)
    else:
        respond(session, transaction, request, 489, _ALLOW_EVENTS)
