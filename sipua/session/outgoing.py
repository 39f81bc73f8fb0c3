"""The caller's side: offer, INVITE, early dialogs, answer, ACK (:rfc:`3261#section-13.2`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import MediaError
from sipua.events import Cause, cause_of_status
from sipua.media.interface import Applied
from sipua.session import terminate
from sipua.session.host import NoResponse
from sipua.session.negotiation import change_sdp, media_failure, sdp_of, set_sdp, watch_media
from sipua.session.states import Event, State
from sipua.sip import Dialog, ParseError, Request, Response

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
) -> None:
    """Set the call up as far as possible without sending anything; what is wrong with its media is raised here."""
    session.request = request
    session.local_identity = request.from_address
    session.remote_identity = request.to_address
    session.contact = request.headers.get("Contact") or ""
    session._media = session._host.new_media(dict(media_options), media_factory)
    session._media.check()
    session._late_offer = late_offer
    session._no_answer_timeout = no_answer_timeout


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
        await session.emit_and_wait("sending", events.Sending(session.request))

    session._do(
        offer(), lambda _: _send(session), lambda error: media_failure(session, error, Cause.WEBRTC_ERROR)
    )


def _send(session: RTCSession) -> None:
    session._advance(Event.INVITE_OUT)
    if session._no_answer_timeout is not None:
        session._set_timer("no answer", session._no_answer_timeout, lambda: _no_answer(session))

    def received(result: Response | NoResponse) -> None:
        session._post(lambda: _on_result(session, result), urgent=isinstance(result, NoResponse))

    session._invite = session._host.send_request(session.request, received)


def _no_answer(session: RTCSession) -> None:
    terminate.finish(session, Event.TERMINATE, originator="system", cause=Cause.NO_ANSWER, status=480)


def _on_result(session: RTCSession, result: Response | NoResponse) -> None:
    if session._invite is not None:
        session.request = session._invite.request
    if isinstance(result, NoResponse):
        _on_refusal(session, result.cause, result.response)
    elif result.code < 200:
        _on_provisional(session, result)
    elif result.code < 300:
        _on_accepted(session, result)
    else:
        session.response = result
        _on_refusal(session, cause_of_status(result.code), result)


def _on_refusal(session: RTCSession, cause: Cause, response: Response | None) -> None:
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
    tag = response.to_tag
    if tag:
        _early_dialog(session, response, tag)
    session.emit("progress", events.Progress("remote", response))
    sdp = sdp_of(response)
    if tag and sdp and not session._late_offer and session.status is State.PROCEEDING:
        _apply_early(session, sdp, tag)


def _early_dialog(session: RTCSession, response: Response, tag: str) -> None:
    dialog = session._early_dialogs.get(tag)
    try:
        if dialog is not None:
            dialog.refresh(response)
            return
        dialog = Dialog.from_uac(session.request, response)
    except ParseError as error:
        # Without a (legible) Contact there is no dialog; the response still says that it rings.
        logger.debug("%s: %s", session, error)
        return
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
    except ParseError as error:
        # It cannot be acknowledged, for nothing says where to: the peer will give up by itself.
        logger.warning("%s: a %d that makes no dialog: %s", session, response.code, error)
        if session._dialog is None:
            _on_refusal(session, Cause.DIALOG_ERROR, response)
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
    session._began()
    if session._late_offer:
        session.emit("accepted", events.Accepted("remote", response))
        _answer_late_offer(session, dialog, response)
        return
    _acknowledge(session, dialog)
    session.emit("accepted", events.Accepted("remote", response))
    if session.status is not State.CONFIRMED:
        return  # a handler hung up
    tag = response.to_tag or ""
    sdp = sdp_of(response)
    if not sdp and session._answer_branch != tag:
        _bad_answer(session, MediaError("the 2xx has no answer"), Cause.MISSING_SDP)
        return
    media = session._media
    assert media is not None

    async def work() -> Applied:
        outcome = Applied.UNCHANGED  # as it is when the answer came in a provisional response
        if sdp:
            changed = await change_sdp(session, "remote", "answer", sdp)
            outcome = await media.apply_answer(changed, branch=tag)
        chosen = await media.choose(tag)
        return chosen if outcome is Applied.UNCHANGED else outcome

    def applied(outcome: Applied) -> None:
        if outcome is Applied.NEEDS_REOFFER:
            logger.warning("%s: media could not follow the branch that answered", session)
        _confirmed(session)

    session._do(work(), applied, lambda error: _bad_answer(session, error))


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


def _apply_early(session: RTCSession, sdp: str, branch: str) -> None:
    """Early media: also in an unreliable response it is the answer, or a preview of it (:rfc:`3261#section-13.2.1`)."""
    media = session._media
    assert media is not None

    async def work() -> None:
        await media.apply_answer(await change_sdp(session, "remote", "answer", sdp), branch=branch)

    def applied(_: None) -> None:
        session._answer_branch = branch

    session._do(work(), applied, lambda error: logger.warning("%s: early media: %s", session, error))


def _answer_late_offer(session: RTCSession, dialog: Dialog, response: Response) -> None:
    """The 2xx carries the offer; the ACK must carry the answer (RFC 3261 §13.2.1)."""
    media = session._media
    assert media is not None
    offer = sdp_of(response)
    if not offer:
        _acknowledge(session, dialog)
        _bad_answer(session, MediaError("neither the INVITE nor the 2xx has an offer"), Cause.MISSING_SDP)
        return

    async def work() -> str:
        changed = await change_sdp(session, "remote", "offer", offer)
        return await change_sdp(session, "local", "answer", await media.create_answer(changed))

    def made(sdp: str) -> None:
        _acknowledge(session, dialog, sdp)
        _confirmed(session)

    def failed(error: Exception) -> None:
        _acknowledge(session, dialog)
        _bad_answer(session, error)

    session._do(work(), made, failed)


def _confirmed(session: RTCSession) -> None:
    if session.status is not State.CONFIRMED:
        return
    assert session._dialog is not None
    assert session._media is not None
    ack = session._acks.get(session._dialog.remote_tag)
    session._set_confirmed()
    session.emit("confirmed", events.Confirmed("local", ack))


def _bad_answer(session: RTCSession, error: Exception, cause: Cause = Cause.BAD_MEDIA_DESCRIPTION) -> None:
    """An answered call whose media cannot work: hang up, and say why."""
    session.emit("media_failed", events.MediaFailed(error))
    terminate.finish(session, Event.FAILURE, originator="system", cause=cause, reason=str(error), status=488)
