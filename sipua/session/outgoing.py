"""The caller's side: offer, INVITE, early dialogs, answer, ACK (:rfc:`3261#section-13.2`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import MediaError
from sipua.events import Cause, cause_of_status
from sipua.media.interface import Applied
from sipua.session import hold, prack, renegotiate, terminate
from sipua.session.host import NoResponse
from sipua.session.negotiation import change_sdp, media_failure, sdp_of, set_sdp, watch_media
from sipua.session.states import Event, State
from sipua.session.timers import check_interval
from sipua.sip import Dialog, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.session.session import RTCSession

logger = logging.getLogger("sipua.session")


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
) -> None:
    """Set the call up as far as possible without sending anything; what is wrong with its media is raised here."""
    session.request = request
    session.local_identity = request.from_address
    session.remote_identity = request.to_address
    session.contact = request.headers.get("Contact") or ""
    session._media = session._host.new_media(dict(media_options), media_factory)
    session._media.check()
    session._late_offer = late_offer
    session._timer.wanted = check_interval(session_timers_expires)
    session._no_answer_timeout = no_answer_timeout
    session._redirection.automatic = follow_redirects


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
            sdp = await change_sdp(session, "local", "offer", await media.create_offer())
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


def _send_invite(session: RTCSession) -> None:
    def received(result: Response | NoResponse) -> None:
        session._post(lambda: _on_result(session, result), urgent=isinstance(result, NoResponse))

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
        _on_accepted(session, result)
    elif not _with_longer_interval(session, result) and not session._redirection.on_failure(result):
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
        return
    session.emit("progress", events.Progress("remote", response))
    sdp = sdp_of(response)
    settled = tag in session._reliable_answers  # no description after that means anything (RFC 6337 §3.1.1)
    if tag and sdp and not settled and not session._late_offer and session.status is State.PROCEEDING:
        # Also in an unreliable response: it is the answer, or a preview of it (RFC 3261 §13.2.1)
        _apply(
            session,
            sdp,
            tag,
            lambda: None,
            lambda error: logger.warning("%s: early media: %s", session, error),
        )


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
        session._do(_answer(session, sdp), answered, failed)
    else:
        settle()  # the peer may go on as soon as it has our PRACK; what it sends waits for media here
        _apply(session, sdp, tag, lambda: None, failed)


def _early_dialog(session: RTCSession, response: Response, tag: str) -> None:
    dialog = session._early_dialogs.get(tag)
    if dialog is not None:
        dialog.refresh(response)
        return
    try:
        dialog = Dialog.from_uac(session.request, response)
    except ValueError:
        return  # no Contact: legal in a provisional response, and then there is no dialog
    session._early_dialogs[tag] = dialog
    session._host.add_dialog(dialog.id, session)


# --- 2xx --------------------------------------------------------------------------------------------------


def _on_accepted(session: RTCSession, response: Response) -> None:
    tag = response.to_tag or ""
    known = session._acks.get(tag)
    if known is not None:  # a repeated 2xx: the ACK was lost (RFC 3261 §13.2.2.4)
        session._host.send_ack(known)
        return
    if session._dialog is not None and tag == session._dialog.remote_tag:
        return  # its ACK waits for our answer to a late offer
    try:
        dialog = session._early_dialogs.pop(tag, None)
        if dialog is None:
            dialog = Dialog.from_uac(session.request, response)
        else:
            dialog.confirm(response)
    except ValueError as error:
        logger.warning("%s: a %d that makes no dialog: %s", session, response.code, error)
        if session.status in (State.INVITE_SENT, State.PROCEEDING):
            terminate.finish(
                session, Event.FAILURE, originator="system", cause=Cause.DIALOG_ERROR, reason=str(error)
            )
        return
    if session.status in (State.INVITE_SENT, State.PROCEEDING):
        _take(session, dialog, response)
    else:
        _decline(session, dialog, tag)


def _take(session: RTCSession, dialog: Dialog, response: Response) -> None:
    """The first 2xx: this is the call."""
    session._advance(Event.ACCEPTED_IN)
    session._clear_timer("no answer")
    session._dialog = dialog
    session.response = response
    session.remote_identity = response.to_address
    for other in session._early_dialogs.values():
        session._host.remove_dialog(other.id)
    session._early_dialogs.clear()
    session._host.add_dialog(dialog.id, session)
    session._peer.learn(response)
    session._timer.answered(session.request, response)
    session._began()
    tag = response.to_tag or ""
    settled = tag in session._reliable_answers
    if session._late_offer and not settled:
        session.emit("accepted", events.Accepted("remote", response))
        _answer_late_offer(session, dialog, response)
        return
    _acknowledge(session, dialog)
    session.emit("accepted", events.Accepted("remote", response))
    if session.status is not State.CONFIRMED:
        return  # a handler hung up
    sdp = "" if settled else sdp_of(response)
    if sdp:
        _apply(session, sdp, tag, lambda: _confirmed(session), lambda error: _bad_answer(session, error))
    elif settled and session._answer_branch != tag:
        _confirmed(session)  # settled by PRACK, and then another branch was heard
        _follow_branch(session)
    elif session._answer_branch is not None and session._answer_branch == tag:
        _confirmed(session)  # the answer came in a provisional response
    else:
        _bad_answer(session, MediaError("the 2xx has no answer"), Cause.MISSING_SDP)


def _decline(session: RTCSession, dialog: Dialog, tag: str) -> None:
    """A 2xx that is not our call: of another branch, or one that crossed our CANCEL. ACK, then BYE."""
    session._host.remove_dialog(dialog.id)
    _acknowledge(session, dialog)
    if session.status is State.CANCELING:
        session._advance(Event.ACCEPTED_IN)
        terminate.bye(session, dialog, session._set_gone)
    else:
        terminate.bye(session, dialog, lambda: None)


def _acknowledge(session: RTCSession, dialog: Dialog, sdp: str = "") -> None:
    ack = dialog.ack(session.request)
    if sdp:
        set_sdp(ack, sdp)
    session._acks[dialog.remote_tag] = ack
    session._host.send_ack(ack)


def _apply(session: RTCSession, sdp: str, branch: str, then: Any, failed: Any) -> None:
    """Let media use the answer of this branch."""
    media = session._media
    assert media is not None

    async def work() -> Applied:
        changed = await change_sdp(session, "remote", "answer", sdp)
        return await media.apply_answer(changed, branch=branch)

    def applied(outcome: Applied) -> None:
        session._answer_branch = branch
        then()
        if outcome is Applied.NEEDS_REOFFER:
            _follow_branch(session)

    session._do(work(), applied, failed)


def _answer_late_offer(session: RTCSession, dialog: Dialog, response: Response) -> None:
    """The 2xx carries the offer; the ACK must carry the answer (RFC 3261 §13.2.1)."""
    offer = sdp_of(response)
    if not offer:
        _acknowledge(session, dialog)
        _bad_answer(session, MediaError("neither the INVITE nor the 2xx has an offer"), Cause.MISSING_SDP)
        return

    def made(sdp: str) -> None:
        _acknowledge(session, dialog, sdp)
        _confirmed(session)

    def failed(error: Exception) -> None:
        _acknowledge(session, dialog)
        _bad_answer(session, error)

    session._do(_answer(session, offer), made, failed)


def _follow_branch(session: RTCSession) -> None:
    """Media is not with the branch that answered: make a new offer to it."""
    if session.status is State.CONFIRMED and not session.is_ended():
        renegotiate.ask(session, "renegotiate")


async def _answer(session: RTCSession, offer: str) -> str:
    """Our answer to an offer of the called side."""
    assert session._media is not None
    changed = await change_sdp(session, "remote", "offer", offer)
    return await change_sdp(session, "local", "answer", await session._media.create_answer(changed))


def _confirmed(session: RTCSession) -> None:
    if session.status is not State.CONFIRMED:
        return
    assert session._dialog is not None
    assert session._media is not None
    ack = session._acks.get(session._dialog.remote_tag)
    session._set_confirmed()
    session.emit("confirmed", events.Confirmed("local", ack))
    hold.first(session, "offer" if session._late_offer else "answer")


def _bad_answer(session: RTCSession, error: Exception, cause: Cause = Cause.BAD_MEDIA_DESCRIPTION) -> None:
    """An answered call whose media cannot work: hang up, and say why."""
    session.emit("media_failed", events.MediaFailed(error))
    terminate.finish(session, Event.FAILURE, originator="system", cause=cause, reason=str(error), status=488)
