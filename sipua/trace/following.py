"""What of a user agent goes into a trace: its messages, and the events that only tell something."""

from __future__ import annotations

import enum
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from sipua.events import Connected, NewRTCSession
from sipua.sip.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.session import RTCSession
    from sipua.ua import UA

__all__ = ["CALL_EVENTS", "UA_EVENTS", "Recorder", "follow_user_agent"]

UA_EVENTS = ("connecting", "connected", "disconnected", "registered", "unregistered", "registration_failed")

# Handlers of other events may change what a call does: those are not for an onlooker.
CALL_EVENTS = (
    *("connecting", "progress", "accepted", "confirmed", "ended", "failed"),
    *("ice_connection_state", "media_failed", "hold", "unhold", "muted", "unmuted", "new_dtmf"),
)


class Recorder(Protocol):
    """Takes what a user agent does: a `Trace`, or `CallTraces`."""

    peer: str

    def add(self, direction: str, data: str | bytes, *, peer: str | None = None, agent: str = "") -> None:
        """Take a SIP message."""

    def add_event(
        self, name: str, details: Mapping[str, Any], *, agent: str = "", call: str | None = None
    ) -> None:
        """Take an event."""

    def sample(self, call: RTCSession, agent: str = "") -> None:
        """Begin to take the figures of this call's media."""

    def sample_last(self, call: RTCSession, agent: str = "") -> None:
        """The call has ended."""


def follow_user_agent(trace: Recorder, ua: UA) -> None:
    """Put all that `ua` does from now on into `trace`."""
    agent = redact(str(ua.configuration.uri))
    server = trace.peer or (ua.configuration.sockets[0].url if ua.configuration.sockets else "")

    def tell(name: str, payload: object) -> None:
        nonlocal server
        if isinstance(payload, Connected):
            server = payload.url
        trace.add_event(name, details_of(payload), agent=agent)

    def begin(event: NewRTCSession) -> None:
        _follow_call(trace, event.session, agent, event.originator)

    ua.trace(lambda direction, data: trace.add(direction, data, peer=server, agent=agent))
    for name in UA_EVENTS:
        ua.on(name, lambda payload, name=name: tell(name, payload))
    ua.on("new_rtc_session", begin)


def _follow_call(trace: Recorder, call: RTCSession, agent: str, originator: str) -> None:
    call_id = call.request.call_id
    who = {"originator": originator, "remote": str(call.remote_identity.uri)}
    trace.add_event("call", who, agent=agent, call=call_id)

    def tell(name: str, payload: object) -> None:
        trace.add_event(name, details_of(payload), agent=agent, call=call_id)
        if name in ("accepted", "confirmed"):
            trace.sample(call, agent)
        elif name in ("ended", "failed"):
            trace.sample_last(call, agent)

    for name in CALL_EVENTS:
        call.on(name, lambda payload, name=name: tell(name, payload))


def details_of(payload: Any) -> dict[str, Any]:
    """The plain values of an event; of a response its status, of an error its text."""
    details: dict[str, Any] = {}
    for field in fields(payload):
        value = getattr(payload, field.name)
        if isinstance(value, enum.Enum):
            details[field.name] = str(value)
        elif value is None or isinstance(value, str | int | float):
            details[field.name] = value
        elif isinstance(value, BaseException):
            details[field.name] = f"{value}" or type(value).__name__
        elif hasattr(value, "code") and hasattr(value, "phrase"):
            details["status"], details["phrase"] = value.code, value.phrase
    return details
