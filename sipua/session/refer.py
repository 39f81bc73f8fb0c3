"""Sending a peer somewhere else: REFER in a call (:rfc:`3515`, :rfc:`4488`, :rfc:`5589`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua.errors import InvalidStateError, ParseError
from sipua.session import abandoned, reference, terminate
from sipua.session.headers import header_list
from sipua.session.states import Event, State
from sipua.session.subscriber import ReferSubscriber
from sipua.sip import Replaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.emitter import Handler
    from sipua.session.session import RTCSession
    from sipua.sip import URI, Response

#: Seconds after a transfer that worked until we hang up, unless the application or the peer does.
HANG_UP_AFTER = 2.0

_STATES = (State.WAITING_FOR_ACK, State.CONFIRMED)


def refer(
    session: RTCSession,
    target: str | URI | None,
    replaces: RTCSession | Replaces | None,
    refer_sub: bool,
    hang_up: bool,
    hold: bool,
    extra_headers: Any,
    event_handlers: Mapping[str, Handler] | None,
) -> ReferSubscriber:
    """What `RTCSession.refer` does."""
    if session.is_ended() or session.status not in _STATES or session._dialog is None:
        raise InvalidStateError("refer", session.status.value)
    if replaces is session:
        raise ValueError("replaces: the call that is transferred cannot be the one that is replaced")
    consultation = None if replaces is None or isinstance(replaces, Replaces) else replaces
    refer_to = refer_to_value(session._host, target, replaces)
    headers = header_list(extra_headers)
    dialog = session._dialog
    subscriber = ReferSubscriber(session._refer_usages(), refer_to, event_handlers)
    holds = hold and not session.is_on_hold()["local"]
    had_sound = abandoned.heard(session) > 0

    def accepted(response: Response) -> None:
        try:
            dialog.refresh(response)
        except ParseError:
            pass  # a Contact that cannot be read changes nothing

    def succeeded(notified: bool) -> None:
        # Neither of our calls has anybody to talk to any more (RFC 5589 §7.1). Without a NOTIFY the call to be
        # replaced must stay until it is: the INVITE may still be on its way.
        for call in (session, consultation if notified else None):
            if call is not None:
                hang_up_after(call, HANG_UP_AFTER)

    def failed(taken: bool) -> None:
        if session.is_ended():
            return
        if holds:
            session.unhold()
        if hang_up and taken and had_sound:
            abandoned.end_if_abandoned(session)

    def send(_: object = None) -> None:
        if session.is_ended():
            subscriber.give_up("the call ended before")
            return
        own = (
            ("Contact", session.contact),
            *refer_headers(refer_to, str(dialog.local_uri.uri), refer_sub=refer_sub),
        )
        request = dialog.request("REFER", headers=(*own, *session._headers(), *headers))
        subscriber.send(request, dialog.next_cseq)

    subscriber.on_request_accepted = accepted
    subscriber.on_failure = failed
    if hang_up:
        subscriber.on_success = succeeded
    if holds:  # a peer that does not want to be held can be transferred all the same
        session.hold().add_done_callback(send)
    else:
        send()
    return subscriber


def refer_to_value(host: Any, target: str | URI | None, replaces: RTCSession | Replaces | None) -> str:
    """The Refer-To value for a target, or for the other end of the call that is to be replaced.

    :raises InvalidStateError: the call to be replaced is not up.
    """
    if not (replaces is None or isinstance(replaces, Replaces) or hasattr(replaces, "_dialog")):
        raise ValueError(f"replaces={replaces!r:.200}: neither a call nor a Replaces value")
    if replaces is None:
        if target is None:
            raise ValueError("target: whom to call is needed, or the call to replace")
        return reference.write(host.normalize_target(target))
    if isinstance(replaces, Replaces):
        if target is None:
            raise ValueError("target: whom to call is needed with a Replaces value")
        return reference.write(host.normalize_target(target), replaces)
    dialog = replaces._dialog
    if dialog is None or replaces.is_ended() or replaces.status not in _STATES:
        raise InvalidStateError("refer with replaces", replaces.status.value)
    uri = host.normalize_target(target) if target is not None else _reachable(replaces)
    # The tags as the one sees them who gets the INVITE (RFC 3891 §3).
    return reference.write(uri, Replaces(dialog.call_id, dialog.remote_tag or "0", dialog.local_tag))


def _reachable(session: RTCSession) -> URI:
    """Where others reach the peer: its Contact if that is good for everybody, else its address (RFC 5589 §7.3)."""
    assert session._dialog is not None
    contact = session._dialog.remote_target
    if "gr" in contact.parameters or session.remote_identity.uri.host.endswith(".invalid"):
        return contact
    return session.remote_identity.uri


def refer_headers(refer_to: str, referred_by: str, *, refer_sub: bool) -> tuple[tuple[str, str], ...]:
    """What makes a request a REFER. Referred-By (:rfc:`3892`) stays away for who is anonymous."""
    headers = [("Refer-To", refer_to)]
    if not referred_by.endswith("anonymous.invalid"):
        headers.append(("Referred-By", f"<{referred_by}>"))
    if not refer_sub:
        headers.append(("Refer-Sub", "false"))
    return tuple(headers)


def hang_up_after(session: RTCSession, seconds: float) -> None:
    """End a call that a transfer has made pointless, unless it is over by then."""
    if not session.is_ended():
        session._set_timer(
            "transferred",
            seconds,
            lambda: terminate.finish(session, Event.TERMINATE, originator="local"),
        )
