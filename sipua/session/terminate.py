"""Ending a call: by the application, the peer, a timer or a failure; CANCEL, refusal and BYE.

:rfc:`3261#section-9.1`, :rfc:`3261#section-15`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError
from sipua.events import Cause, Originator, cause_of_status
from sipua.session.headers import checked_body, checked_phrase, checked_status, response_header_list
from sipua.session.host import NoResponse
from sipua.session.states import ESTABLISHED, Event, State
from sipua.sip import Request, Response, make_response, reason_phrase
from sipua.sip.headers import KEYS

if TYPE_CHECKING:
    import asyncio

    from sipua.session.session import RTCSession
    from sipua.sip import Dialog

#: The refusal of an incoming call when the application names none.
DEFAULT_REFUSAL = 480


def terminate(
    session: RTCSession,
    status_code: int | None,
    reason_phrase_: str | None,
    extra_headers: Any,
    body: str | bytes,
    cause: Cause | None,
) -> asyncio.Future[None]:
    """What `RTCSession.terminate` does."""
    if session.is_ended():
        raise InvalidStateError("terminate", session.status.value)
    refusing = session.direction == "incoming" and session.status in (State.INCOMING, State.ANSWERING)
    low = 300 if refusing else 200
    if status_code is not None:
        checked_status(status_code, low)
    headers = response_header_list(extra_headers, status_code if refusing else None)
    content = checked_body(body)
    if content and not any(KEYS[name] == "content-type" for name, _ in headers):
        raise ValueError("body: needs a Content-Type among extra_headers")
    cause = Cause(cause) if cause is not None else None
    phrase = checked_phrase(reason_phrase_)

    def act() -> None:
        if not session.is_ended():
            finish(
                session,
                Event.TERMINATE,
                originator="local",
                cause=cause,
                status=status_code,
                phrase=phrase,
                headers=headers,
                body=content,
            )

    session._post(act, urgent=True)
    return session._gone


def finish(
    session: RTCSession,
    event: Event,
    *,
    originator: Originator,
    cause: Cause | None = None,
    reason: str = "",
    status: int | None = None,
    phrase: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> None:
    """End the call from this side, with whatever its state asks for."""
    before = session.status
    session._advance(event)
    if before is State.BYE_DELAYED or before is State.CANCELING:
        return  # what has to be sent is due already
    session._stop_work()
    if before in ESTABLISHED:  # answered, if not confirmed: it has ended, not failed
        say_why = _reason(status, phrase)
        session._set_over(events.Ended(originator, cause or Cause.BYE, None, reason))
        if session.status is State.BYE_DELAYED:
            session._bye_headers = say_why + headers
        else:
            send_bye(session, say_why + headers, body)
        return
    response: Response | None = None
    if before in (State.INCOMING, State.ANSWERING):
        code = status or (DEFAULT_REFUSAL if event is Event.TERMINATE else 500)
        response = refuse(session, code, phrase, headers, body)
        cause = cause or cause_of_status(code)
        if code == DEFAULT_REFUSAL and status is None and event is Event.TERMINATE:
            cause = Cause.REJECTED
    elif session._invite is not None:
        session._invite.cancel(_reason(status, phrase))
    elif session.status is State.CANCELING:
        session._advance(Event.REFUSED_IN)  # the INVITE could not even be sent: nothing will come
    fail(session, originator, cause or Cause.CANCELED, response, reason)


def fail(
    session: RTCSession,
    originator: Originator,
    cause: Cause,
    message: Request | Response | None = None,
    reason: str = "",
) -> None:
    """Tell that the call did not come about; release it when nothing is left to be exchanged."""
    session._stop_work()
    session._set_over(events.Failed(originator, cause, message, reason))
    if session.status is State.ENDED:
        session._set_gone()


def refuse(
    session: RTCSession,
    code: int,
    phrase: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Response:
    """Send a final response of 300 or more to the incoming INVITE."""
    transaction = session._transaction
    assert transaction is not None
    response = make_response(
        session.request, code, phrase, to_tag=transaction.to_tag, headers=headers, body=body
    )
    session.response = response
    session._host.respond(transaction, response)
    return response


def send_bye(session: RTCSession, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> None:
    """Send the BYE of the call's dialog, once; the call is gone when it is answered.

    Until then the dialog is still there for a BYE of the peer that meets ours (:rfc:`5407#section-3.2.1`).
    """
    assert session._dialog is not None
    if session._bye_sent:
        return
    session._bye_sent = True
    bye(session, session._dialog, session._set_gone, headers, body)


def bye(
    session: RTCSession,
    dialog: Dialog,
    done: Any,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> None:
    """Send a BYE in `dialog`; `done()` is called after the final response to it, or when there is none."""
    request = dialog.request("BYE", headers=headers, body=body)

    def answered(result: Response | NoResponse) -> None:
        if isinstance(result, NoResponse) or result.code >= 200:
            done()

    session._host.send_request(request, answered, next_cseq=dialog.next_cseq)


def on_bye(session: RTCSession, request: Request) -> None:
    """The peer hung up; its BYE was answered already."""
    before = session.status
    if before is State.ENDED:
        return
    session._advance(Event.BYE_IN)
    why = reason_text(request)
    if before in ESTABLISHED:
        if session._transaction is not None:
            session._transaction.acknowledged()  # a BYE says that the 2xx has come, whatever became of the ACK
        session._stop_work()
        session._set_over(events.Ended("remote", Cause.BYE, request, why))
        session._set_gone()
    elif before in (State.INCOMING, State.ANSWERING):
        response = refuse(session, 487)
        fail(session, "remote", Cause.CANCELED, response, why)
    elif before is State.PROCEEDING:
        assert session._invite is not None
        session._invite.cancel()
        fail(session, "remote", Cause.CANCELED, request, why)


def on_cancel(session: RTCSession, request: Request) -> None:
    """The peer gave up before we answered: 487 to the INVITE (the CANCEL itself was answered)."""
    if session.status not in (State.INCOMING, State.ANSWERING):
        return  # it crossed our final response and has no effect
    session._advance(Event.CANCEL_IN)
    refuse(session, 487)
    fail(session, "remote", Cause.CANCELED, request, reason_text(request))


def _reason(status: int | None, phrase: str | None) -> tuple[tuple[str, str], ...]:
    """A Reason header (:rfc:`3326`) for a CANCEL or BYE."""
    if status is None:
        return ()
    text = (phrase or reason_phrase(status)).replace("\\", "\\\\").replace('"', '\\"')
    return (("Reason", f'SIP;cause={status};text="{text}"'),)


def reason_text(message: Request | Response) -> str:
    """What the peer says of why, from its Reason header; empty when it says nothing, or nothing legible."""
    try:
        reasons = message.reasons
    except ValueError:
        return ""
    return "; ".join(filter(None, (reason.text or str(reason) for reason in reasons)))
