"""The caller's side from the 2xx on: ACK, answer, and what to do with a 2xx that is not the call.

:rfc:`3261#section-13.2.2.4`
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua import events
from sipua.errors import MediaError
from sipua.events import Cause
from sipua.media.interface import Applied
from sipua.session import hold, renegotiate, terminate
from sipua.session.negotiation import answer_offer, change_sdp, sdp_of, set_sdp
from sipua.session.states import Event, State
from sipua.sip import Dialog, ParseError, Response

if TYPE_CHECKING:
    from sipua.session.session import RTCSession

logger = logging.getLogger("sipua.session")

_WAITING = (State.INVITE_SENT, State.PROCEEDING)


def on_accepted(session: RTCSession, response: Response) -> None:
    """A 2xx to the INVITE, perhaps not the first."""
    tag = response.to_tag or ""
    known = session._acks.get(tag)
    if known is not None:  # a repeated 2xx: the ACK was lost
        session._host.send_ack(known)
        return
    if session._dialog is not None and tag == session._dialog.remote_tag:
        return  # its ACK waits for our answer to a late offer
    early = session._early_dialogs.pop(tag, None)
    try:
        if early is not None:
            early.confirm(response)
        dialog = early or Dialog.from_uac(session.request, response)
    except ParseError as error:
        _hang_up_illegible(session, response, early, error)
        return
    if session.status in _WAITING:
        _take(session, dialog, response)
    else:
        _decline(session, dialog)


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
    session._trickle.heard(response, dialog)
    settled = dialog.remote_tag in session._reliable_answers
    if session._late_offer and not settled:
        session.emit("accepted", events.Accepted("remote", response))
        _answer_late_offer(session, dialog, response)
        return
    _acknowledge(session, dialog)
    session.emit("accepted", events.Accepted("remote", response))
    if session.status is State.CONFIRMED:  # no handler hung up
        _apply(session, dialog.remote_tag, "" if settled else sdp_of(response), settled=settled)


def _apply(session: RTCSession, tag: str, sdp: str, *, settled: bool) -> None:
    """Let media use the answer of the branch that won; `settled` by PRACK, or in a provisional response, it has it."""
    elsewhere = session._answer_branch != tag
    if not sdp and not settled and elsewhere:
        _bad_answer(session, MediaError("the 2xx has no answer"), Cause.MISSING_SDP)
        return
    media = session._media
    assert media is not None

    async def work() -> Applied:
        outcome = Applied.UNCHANGED
        if sdp:
            changed = await change_sdp(session, "remote", "answer", sdp)
            outcome = await media.apply_answer(changed, branch=tag)
        chosen = await media.choose(tag)
        return chosen if outcome is Applied.UNCHANGED else outcome

    def applied(outcome: Applied) -> None:
        _confirmed(session)
        lost = outcome is Applied.NEEDS_REOFFER or (settled and elsewhere and outcome is Applied.UNCHANGED)
        if lost and session.status is State.CONFIRMED and not session.is_ended():
            renegotiate.ask(session, "renegotiate")  # media could not follow the branch that answered

    session._do(work(), applied, lambda error: _bad_answer(session, error))


def _decline(session: RTCSession, dialog: Dialog) -> None:
    """A 2xx that is not our call: of another branch, or one that crossed our CANCEL. ACK, then BYE."""
    session._host.remove_dialog(dialog.id)
    _acknowledge(session, dialog)
    if session.status is State.CANCELING:
        session._advance(Event.ACCEPTED_IN)
        terminate.bye(session, dialog, session._set_gone)
    else:
        terminate.bye(session, dialog, lambda: None)


def _hang_up_illegible(
    session: RTCSession, response: Response, early: Dialog | None, error: ParseError
) -> None:
    """A 2xx whose Contact or Record-Route cannot be read: ACK and BYE go where the INVITE, or the 1xx before, led."""
    logger.warning("%s: a %d that cannot be followed: %s", session, response.code, error)
    dialog = early
    if dialog is None:
        legible = response.copy()
        legible.headers.remove("Contact")
        legible.headers.remove("Record-Route")
        dialog = Dialog.from_uac(session.request, legible)
    session._host.remove_dialog(dialog.id)
    _acknowledge(session, dialog)
    terminate.bye(session, dialog, lambda: None)
    if session._dialog is None and session.status is not State.ENDED:
        session._advance(Event.REFUSED_IN)
        session._clear_timer("no answer")
        terminate.fail(session, "remote", Cause.DIALOG_ERROR, response, str(error))
        session._set_gone()


def _acknowledge(session: RTCSession, dialog: Dialog, sdp: str = "") -> None:
    ack = dialog.ack(session.request)
    if sdp:
        set_sdp(ack, sdp)
    session._acks[dialog.remote_tag] = ack
    session._host.send_ack(ack)


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

    session._do(answer_offer(session, offer), made, failed)


def _confirmed(session: RTCSession) -> None:
    if session.status is not State.CONFIRMED:
        return
    assert session._dialog is not None
    assert session._media is not None
    ack = session._acks.get(session._dialog.remote_tag)
    session._set_confirmed()
    session._trickle.found()
    session.emit("confirmed", events.Confirmed("local", ack))
    hold.first(session, "offer" if session._late_offer else "answer")


def _bad_answer(session: RTCSession, error: Exception, cause: Cause = Cause.BAD_MEDIA_DESCRIPTION) -> None:
    """An answered call whose media cannot work: hang up, and say why."""
    session.emit("media_failed", events.MediaFailed(error))
    terminate.finish(session, Event.FAILURE, originator="system", cause=cause, reason=str(error), status=488)
