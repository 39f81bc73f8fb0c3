"""The caller's side: offer, INVITE, early dialogs, answer, ACK (:rfc:`3261#section-13.2`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.events import Cause, cause_of_status
from sipua.session import accepted, prack, terminate
from sipua.session.host import NoResponse
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
from sipua.session.states import Event, State
from sipua.session.timers import check_interval
from sipua.sip import Dialog, ParseError, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sipua.passport.interface import Signer
    from sipua.session.session import RTCSession

logger = logging.getLogger("sipua.session")

#: So many places may ring at once; what more there are may still answer.
MAX_BRANCHES = 32


def prepare(
    session: RTCSession,
    request: Request,
    media_options: Mapping[str, Any],
    media_factory: Any,
    *,
    late_offer: bool,
    no_answer_timeout: float | None,
    session_timers_expires: int | None = None,
    follow_redirects: bool = False,
    signer: Signer | None = None,
) -> None:
    """Set the call up as far as possible without sending anything; what is wrong with its media is raised here."""
    session.request = request
    session.local_identity = request.from_address
    session.remote_identity = request.to_address
    session.contact = request.headers.get("Contact") or ""
    session._media = session._host.new_media(dict(media_options), media_factory)
    check_media(session, session._media)
    session._trickle.mark(request)
    session._late_offer = late_offer
    session._timer.wanted = check_interval(session_timers_expires)
    session._no_answer_timeout = no_answer_timeout
    session._redirection.automatic = follow_redirects
    session._signer = signer


def start(session: RTCSession) -> None:
    """Make the offer, then send the INVITE."""
    if session.is_ended():
        return
    media = session._media
    assert media is not None
    session._advance(Event.CALL)
    watch_media(session, media)
    session.emit("peerconnection", events.PeerConnection(media.connection))
    session.emit("connecting", events.SessionConnecting(session.request))

    async def offer() -> None:
        if not session._late_offer:
            sdp = await make_offer(session)
            session._sdp_body = sdp
            set_sdp(session.request, sdp)
        for name, value in session._timer.request_headers():
            if name not in session.request.headers:
                session.request.headers.add(name, value)
        await session.emit_and_wait("sending", events.Sending(session.request))

    session._do(
        offer(), lambda _: _send(session), lambda error: media_failure(session, error, Cause.WEBRTC_ERROR)
    )


def _send(session: RTCSession) -> None:
    session._advance(Event.INVITE_OUT)
    if session._no_answer_timeout is not None:
        session._set_timer("no answer", session._no_answer_timeout, lambda: _no_answer(session))

    _send_invite(session)


def _send_invite(session: RTCSession, *, full_signature: bool = False) -> None:
    def received(result: Response | NoResponse) -> None:
        session._post(lambda: _on_result(session, result), urgent=isinstance(result, NoResponse))

    if session._signer is not None:  # as the last: it is signed as it goes out
        sdp = sdp_of(session.request)
        for name, value in session._signer.sign(session.request, sdp, full=full_signature):
            session.request.headers.set(name, value)
    session._invite = session._host.send_request(session.request, received)


def _with_longer_interval(session: RTCSession, refusal: Response) -> bool:
    """After a 422: try again with the interval that somebody on the way insists on (:rfc:`4028#section-7.3`)."""
    waiting = session.status in (State.INVITE_SENT, State.PROCEEDING)
    if refusal.code != 422 or not waiting or not session._timer.raised(refusal):
        return False
    request = next_invite(session)
    for name, value in session._timer.request_headers():
        request.headers.set(name, value)
    session.request = request
    _send_invite(session)
    return True


def _with_full_signature(session: RTCSession, refusal: Response) -> bool:
    """After a 438: try once more with all that was signed, for what is left out may change on the way.

    :rfc:`8224#section-6.1.1`
    """
    waiting = session.status in (State.INVITE_SENT, State.PROCEEDING)
    is_compact = (session.request.headers.get("Identity") or "").startswith("..")
    if refusal.code != 438 or not waiting or session._signer is None or not is_compact:
        return False
    session.request = next_invite(session)
    _send_invite(session, full_signature=True)
    return True


def next_invite(session: RTCSession) -> Request:
    """The INVITE once more, after a final response to it: the early dialogs that it made are gone."""
    request = session.request.copy()
    for name in ("Via", "Authorization", "Proxy-Authorization"):
        request.headers.remove(name)
    request.headers.set("CSeq", f"{request.cseq.sequence + 1} INVITE")
    for dialog in session._early_dialogs.values():
        session._host.remove_dialog(dialog.id)
    session._early_dialogs.clear()
    return request


def send_redirected(session: RTCSession, request: Request) -> None:
    """Send the INVITE to another target."""
    session._advance(Event.INVITE_OUT)
    session.request = request
    _send_invite(session)


def _no_answer(session: RTCSession) -> None:
    terminate.finish(session, Event.TERMINATE, originator="system", cause=Cause.NO_ANSWER, status=480)


def _on_result(session: RTCSession, result: Response | NoResponse) -> None:
    if session._invite is not None:
        session.request = session._invite.request
    if isinstance(result, NoResponse):
        if not session._redirection.on_failure(result):
            refused(session, result.cause, result.response)
    elif result.code < 200:
        _on_provisional(session, result)
    elif result.code < 300:
        accepted.on_accepted(session, result)
    elif not (
        _with_longer_interval(session, result)
        or _with_full_signature(session, result)
        or session._redirection.on_failure(result)
    ):
        session.response = result
        refused(session, cause_of_status(result.code), result)


def refused(session: RTCSession, cause: Cause, response: Response | None) -> None:
    """The INVITE did not bring a call about."""
    if session.status is State.ENDED:
        return
    session._advance(Event.REFUSED_IN)
    session._clear_timer("no answer")
    reason = terminate.reason_text(response) if response is not None else ""
    terminate.fail(session, "remote" if response is not None else "system", cause, response, reason)
    session._set_gone()


# --- provisional responses and early dialogs --------------------------------------------------------------


def _on_provisional(session: RTCSession, response: Response) -> None:
    if session.status not in (State.INVITE_SENT, State.PROCEEDING, State.CANCELING):
        return
    session._advance(Event.PROVISIONAL)
    if session.status is State.CANCELING or response.code == 100:
        return
    session.provisional = response
    tag = response.to_tag
    if tag:
        _early_dialog(session, response, tag)
    if prack.is_reliable(response):
        _on_reliable(session, response, tag or "")
        session._trickle.heard(response, session._early_dialogs.get(tag or ""))
        return
    session._trickle.heard(response, session._early_dialogs.get(tag or ""))
    session.emit("progress", events.Progress("remote", response))
    sdp = sdp_of(response)
    settled = tag in session._reliable_answers  # no description after that means anything (RFC 6337 §3.1.1)
    if tag and sdp and not settled and not session._late_offer and session.status is State.PROCEEDING:
        # Also in an unreliable response: it is the answer, or a preview of it (RFC 3261 §13.2.1)
        _apply_early(session, sdp, tag, lambda error: logger.warning("%s: early media: %s", session, error))


def _on_reliable(session: RTCSession, response: Response, tag: str) -> None:
    """One that is repeated until our PRACK, which may have to carry an answer (:rfc:`3262#section-4`)."""
    dialog = session._early_dialogs.get(tag)
    if dialog is None or not prack.is_next(session, dialog, response):
        return
    session._peer.learn(response)
    sdp = sdp_of(response) if tag not in session._reliable_answers else ""
    if not sdp or not session._late_offer:
        prack.send(session, dialog, response)
    session.emit("progress", events.Progress("remote", response))
    if not sdp or session.status is not State.PROCEEDING:
        return

    def failed(error: Exception) -> None:
        media_failure(session, error, Cause.BAD_MEDIA_DESCRIPTION, 488)

    def settle() -> None:
        session._answer_branch = tag
        session._reliable_answers.add(tag)

    def answered(answer: str) -> None:
        settle()
        prack.send(session, dialog, response, answer)

    if session._late_offer:
        session._do(answer_offer(session, sdp), answered, failed)
    else:
        settle()  # the peer may go on as soon as it has our PRACK; what it sends waits for media here
        _apply_early(session, sdp, tag, failed)


def _apply_early(session: RTCSession, sdp: str, branch: str, failed: Callable[[Exception], None]) -> None:
    """Let media hear what this branch has to say before it answers."""
    media = session._media
    assert media is not None

    async def work() -> None:
        await media.apply_answer(await change_sdp(session, "remote", "answer", sdp), branch=branch)

    def applied(_: None) -> None:
        session._answer_branch = branch

    session._do(work(), applied, failed)


def _early_dialog(session: RTCSession, response: Response, tag: str) -> None:
    dialog = session._early_dialogs.get(tag)
    try:
        if dialog is not None:
            dialog.refresh(response)
            return
        if len(session._early_dialogs) >= MAX_BRANCHES:
            logger.warning(
                "%s: more than %d branches ring; this one is not listened to", session, MAX_BRANCHES
            )
            return
        dialog = Dialog.from_uac(session.request, response)
    except ParseError as error:
        # Without a (legible) Contact there is no dialog; the response still says that it rings.
        logger.debug("%s: %s", session, error)
        return
    session._early_dialogs[tag] = dialog
    session._host.add_dialog(dialog.id, session)
