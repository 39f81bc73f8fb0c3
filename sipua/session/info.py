"""INFO in the call's dialog (:rfc:`6086`), both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError
from sipua.session.headers import checked_body, content_type_header, header_list
from sipua.session.outcome import settle
from sipua.session.states import State

if TYPE_CHECKING:
    import asyncio

    from sipua.session.session import RTCSession
    from sipua.sip import Request, Response

_STATES = (State.WAITING_FOR_ACK, State.CONFIRMED)


def send_info(
    session: RTCSession, content_type: str, body: str | bytes, extra_headers: Any
) -> asyncio.Future[Response]:
    """What `RTCSession.send_info` does."""
    content_type_header(content_type)
    headers, content = header_list(extra_headers), checked_body(body)
    if session.is_ended() or session.status not in _STATES or session._dialog is None:
        raise InvalidStateError("send_info", session.status.value)
    done: asyncio.Future[Response] = session._host.loop.create_future()
    request = send(session, content_type, content, headers, lambda result: settle(done, "INFO", result))
    session.emit("new_info", events.NewInfo("local", content_type, content, request))
    return done


def send(
    session: RTCSession, content_type: str, body: bytes, headers: tuple[tuple[str, str], ...], receiver: Any
) -> Request:
    """Send an INFO now; INFOs are no part of offer and answer and need not wait for them."""
    dialog = session._dialog
    assert dialog is not None
    request = dialog.request("INFO", headers=(("Content-Type", content_type), *headers), body=body)
    session._host.send_request(request, receiver, next_cseq=dialog.next_cseq)
    return request
