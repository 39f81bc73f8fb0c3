"""The called side: ringing, answer, 2xx until the ACK (:rfc:`3261#section-13.3`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError, MediaError, MediaNegotiationError
from sipua.events import Cause
from sipua.session import hold, terminate
from sipua.session.headers import checked_phrase, checked_status, header_list
from sipua.session.negotiation import (
    answer_offer,
    change_sdp,
    check_media,
    make_offer,
    media_failure,
    sdp_of,
    set_sdp,
    watch_media,
)
from sipua.session.peer import option_tags
from sipua.session.renegotiation import Phase
from sipua.session.states import Event, State, allowed
from sipua.session.timers import check_interval
from sipua.sip import AckReceived, AckTimedOut, Cancelled, Dialog, ParseError, TransportFailed, make_response

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from sipua.media.interface import MediaSession
    from sipua.session.reliable import Carries
    from sipua.session.session import RTCSession
    from sipua.sip import Request, ServerTransaction

logger = logging.getLogger("sipua.session")


def receive_invite(
    session: RTCSession, transaction: ServerTransaction, request: Request, *, no_answer_timeout: float | None
) -> None:
    """An INVITE that begins a call: everything up to the application's first chance to act."""
    session.request = request
    session.local_identity = request.to_address
    session.remote_identity = request.from_address
    session.contact = session._host.contact()
    session._peer.learn(request)
    session._host.trickle_peers.learn(request)
    session._transaction = transaction
    transaction.user = _InviteUser(session)
    session._dialog = Dialog.from_uas(request, transaction.to_tag)
    session._host.add_dialog(session._dialog.id, session)
    session._advance(Event.INVITE_IN)
    if no_answer_timeout is not None:
        session._set_timer("no answer", no_answer_timeout, lambda: _timed_out(session, 408, Cause.NO_ANSWER))
    try:
        expires = request.expires
    except ParseError:
        expires = None  # as if it were not there
    if expires:
        session._set_timer("expires", expires, lambda: _timed_out(session, 487, Cause.EXPIRES))


def ring(session: RTCSession) -> None:
    """Send the 180, unless the application has done something with the call meanwhile."""
    if session.status is State.INCOMING and not session._progress_asked:
        _provisional(session, 180, None, ())


def refuse_identity(session: RTCSession, code: int, phrase: str) -> None:
    """Refuse a call for what is known of who vouches for the caller (:rfc:`8224#section-6.2.2`)."""

    def act() -> None:
        if session.status is State.INCOMING and not session.is_ended():
            terminate.finish(session, Event.TERMINATE, originator="system", status=code, phrase=phrase)

    session._post(act, urgent=True)


def _timed_out(session: RTCSession, code: int, cause: Cause) -> None:
    if allowed(session.status, Event.TERMINATE) and session.status in (State.INCOMING, State.ANSWERING):
        terminate.finish(session, Event.TERMINATE, originator="system", cause=cause, status=code)


class _InviteUser:
    """What the session does with the events of the INVITE's server transaction."""

    __slots__ = ("_session",)

    def __init__(self, session: RTCSession) -> None:
        self._session = session

    def on_transaction_event(self, event: object) -> None:
        session = self._session
        if isinstance(event, AckReceived):
            session._post(lambda: _on_ack(session, event.request))
        elif isinstance(event, Cancelled):
            session._post(lambda: terminate.on_cancel(session, event.request), urgent=True)
        elif isinstance(event, AckTimedOut):
            session._post(lambda: _no_ack(session), urgent=True)
        elif isinstance(event, TransportFailed):
            session._post(lambda: _connection_lost(session), urgent=True)


def _connection_lost(session: RTCSession) -> None:
    """The connection that the INVITE came over is gone: nobody can hear an answer to it."""
    if session.status in (State.INCOMING, State.ANSWERING):
        terminate.finish(session, Event.FAILURE, originator="system", cause=Cause.CONNECTION_ERROR)


# --- provisional responses --------------------------------------------------------------------------------


def progress(
    session: RTCSession,
    status_code: int,
    reason_phrase: str | None,
    early_media: bool,
    reliable: bool | None,
    extra_headers: Any,
    media_options: Mapping[str, Any],
) -> asyncio.Future[None]:
    """What `RTCSession.progress` does."""
    if session.direction != "incoming" or session.status is not State.INCOMING or session.is_ended():
        raise InvalidStateError("progress", session.status.value)
    checked_status(status_code, 101, 199)
    if reliable and "100rel" not in session._peer.supported | option_tags(session.request, "Require"):
        raise ValueError("reliable=True: the peer does not know 100rel")
    headers = header_list(extra_headers)
    checked_phrase(reason_phrase)
    done: asyncio.Future[None] = session._host.loop.create_future()
    session._progress_asked = True
    if early_media and session._media is None:
        _make_media(session, media_options)

    def sent() -> None:
        sdp = session._sdp_body if early_media else ""
        if reliable is None and sdp and "100rel" in session._peer.supported:
            _provisional(session, status_code, reason_phrase, headers, sdp, reliable=True)
        else:
            _provisional(session, status_code, reason_phrase, headers, sdp, reliable=reliable)
        done.set_result(None)

    def act() -> None:
        if session.status is not State.INCOMING:
            _break(done, InvalidStateError("progress", session.status.value))
        elif early_media and not session._sdp_body:
            session._do(_describe(session), lambda sdp: sent(), failed)
        else:
            sent()

    def failed(error: Exception) -> None:
        _break(done, error)
        _refuse_media(session, error)

    session._post(act)
    return done


def _provisional(
    session: RTCSession,
    code: int,
    phrase: str | None,
    headers: tuple[tuple[str, str], ...],
    sdp: str = "",
    *,
    reliable: bool | None = None,
) -> None:
    transaction = session._transaction
    assert transaction is not None
    response = make_response(session.request, code, phrase, to_tag=transaction.to_tag, headers=headers)
    response.headers.add("Contact", session.contact)
    settled = session._reliable.is_settled
    if sdp and not settled:
        set_sdp(response, sdp)
    if reliable or "100rel" in option_tags(session.request, "Require"):
        for pair in session._headers():
            response.headers.add(*pair)
        carries: Carries = "" if settled or not sdp else "answer" if sdp_of(session.request) else "offer"
        session._reliable.send(response, carries)
    else:
        for pair in session._trickle.early_headers(sdp):
            response.headers.add(*pair)
        session._host.respond(transaction, response)
        session._trickle.repeat(response, sdp)
    session.emit("progress", events.Progress("local", response))


def _break(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody has to wait for it


# --- answer -----------------------------------------------------------------------------------------------


def answer(
    session: RTCSession,
    extra_headers: Any,
    session_timers_expires: int | None,
    media_options: Mapping[str, Any],
) -> asyncio.Future[None]:
    """What `RTCSession.answer` does."""
    if session.direction != "incoming" or not allowed(session.status, Event.ANSWER) or session.is_ended():
        raise InvalidStateError("answer", session.status.value)
    session._extra_headers = header_list(extra_headers)
    session._timer.wanted = check_interval(session_timers_expires)
    if session._media is None:
        _make_media(session, media_options)
    session._advance(Event.ANSWER)
    session._post(lambda: _answer(session))
    return session._confirmed


def _make_media(session: RTCSession, media_options: Mapping[str, Any]) -> None:
    options = dict(media_options)
    factory = options.pop("media", None)
    media = session._host.new_media(options, factory)
    check_media(session, media)
    session._media = media
    watch_media(session, media)
    session.emit("peerconnection", events.PeerConnection(media.connection))
    session.emit("connecting", events.SessionConnecting(session.request))


async def _describe(session: RTCSession) -> str:
    """Our answer to the offer in the INVITE, or an offer of ours when there is none (a late offer)."""
    offer = sdp_of(session.request)
    sdp = await answer_offer(session, offer) if offer else await make_offer(session)
    session._sdp_body = sdp
    return sdp


def _answer(session: RTCSession) -> None:
    if session.status is not State.ANSWERING:
        return
    if session._sdp_body:  # sent in a provisional response; the 2xx repeats it (RFC 3261 §13.2.1)
        _accept_when_settled(session)
    else:
        session._do(
            _describe(session),
            lambda sdp: _accept_when_settled(session),
            lambda error: _refuse_media(session, error),
        )


def _accept_when_settled(session: RTCSession) -> None:
    """A 2xx waits for the PRACK of a description (:rfc:`3262#section-3`), and for an UPDATE that is under way."""

    def act() -> None:
        if session.status is State.ANSWERING:
            if session._renegotiation.phase is Phase.IDLE:
                _accept(session)
            else:
                session._renegotiation.when_idle(act)

    session._reliable.when_acknowledged(act)


def _refuse_media(session: RTCSession, error: Exception) -> None:
    status = error.status if isinstance(error, MediaNegotiationError) else 500
    cause = Cause.BAD_MEDIA_DESCRIPTION if status == 488 else Cause.WEBRTC_ERROR
    media_failure(session, error, cause, status)


def _accept(session: RTCSession) -> None:
    transaction = session._transaction
    assert transaction is not None
    session._advance(Event.ACCEPTED_OUT)
    session._clear_timer("no answer")
    session._clear_timer("expires")
    response = make_response(session.request, 200, to_tag=transaction.to_tag)
    headers = response.headers
    headers.add("Contact", session.contact)
    timer = session._timer.answer_headers(session.request)
    for name, value in (*session._headers(), *timer, *session._extra_headers):
        headers.add(name, value)
    if not session._reliable.is_settled:
        set_sdp(response, session._sdp_body)
    session.response = response
    session._began()
    session._host.respond(transaction, response)
    session.emit("accepted", events.Accepted("local", response))


# --- ACK --------------------------------------------------------------------------------------------------


def _on_ack(session: RTCSession, ack: Request) -> None:
    if session.status is State.BYE_DELAYED:
        session._advance(Event.ACK_IN)
        terminate.send_bye(session, session._bye_headers)
        return
    if session.status is not State.WAITING_FOR_ACK:
        return
    session._advance(Event.ACK_IN)
    assert session._dialog is not None
    session._dialog.confirm(None)
    session._trickle.open(session._dialog)
    if sdp_of(session.request) or session._reliable.is_settled:
        _confirmed(session, ack)
        return
    sdp = sdp_of(ack)
    if not sdp:
        _bad_late_answer(session, MediaError("the ACK has no answer to our offer"), Cause.MISSING_SDP)
        return
    media = session._media
    assert media is not None
    session._do(
        _apply_late_answer(session, media, sdp),
        lambda _: _confirmed(session, ack),
        lambda error: _bad_late_answer(session, error, Cause.BAD_MEDIA_DESCRIPTION),
    )


async def _apply_late_answer(session: RTCSession, media: MediaSession, sdp: str) -> None:
    await media.apply_answer(await change_sdp(session, "remote", "answer", sdp))


def _bad_late_answer(session: RTCSession, error: Exception, cause: Cause) -> None:
    session.emit("media_failed", events.MediaFailed(error))
    terminate.finish(session, Event.FAILURE, originator="system", cause=cause, reason=str(error), status=488)


def _confirmed(session: RTCSession, ack: Request | None) -> None:
    if session.status is State.CONFIRMED and not session.is_ended():
        session._set_confirmed()
        session.emit("confirmed", events.Confirmed("remote", ack))
        hold.first(session, "offer" if sdp_of(session.request) else "answer")


def overtaken(session: RTCSession) -> None:
    """A re-INVITE came before the ACK to our 2xx: it says the same (:rfc:`5407#section-3.1.4`)."""
    assert session._transaction is not None
    assert session._dialog is not None
    session._transaction.acknowledged()
    session._advance(Event.ACK_IN)
    session._dialog.confirm(None)
    _confirmed(session, None)


def _no_ack(session: RTCSession) -> None:
    """The 2xx was repeated for 64*T1 and nobody acknowledged it: BYE (:rfc:`3261#section-13.3.1.4`)."""
    if not allowed(session.status, Event.ACK_MISSING):
        return
    session._advance(Event.ACK_MISSING)
    session._stop_work()
    session._set_over(events.Ended("system", Cause.NO_ACK))
    terminate.send_bye(session, session._bye_headers)
