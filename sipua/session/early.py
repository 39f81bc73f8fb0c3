"""What may be negotiated before the call is answered (:rfc:`3262#section-5`, :rfc:`3311#section-5`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.session.negotiation import sdp_of
from sipua.session.states import State

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog

_RINGING = (State.INVITE_SENT, State.PROCEEDING)


def early_dialog(session: RTCSession) -> Dialog | None:
    """The early dialog in which a new offer may be made: the first offer has been answered in it, reliably."""
    if session.is_ended():
        return None
    if session.status in _RINGING:
        tag = session._answer_branch or ""
        return session._early_dialogs.get(tag) if tag in session._reliable_answers else None
    if session.status in (State.INCOMING, State.ANSWERING):
        return session._dialog if session._reliable.is_settled else None
    return None


def refusal(session: RTCSession, dialog: Dialog) -> int | None:
    """How to answer an offer of the peer while the first one is open (:rfc:`3311#section-5.2`); None: it is not.

    491: ours waits for its answer. 500: the peer's waits for ours.
    """
    status = session.status
    if status is State.CONFIRMED:
        return None
    if status is State.WAITING_FOR_ACK:
        settled = sdp_of(session.request) or session._reliable.is_settled
        return None if settled else 491
    if early_dialog(session) is dialog:
        return None
    if status in (State.INCOMING, State.ANSWERING):
        return 491 if session._reliable.has_open_offer else 500
    return 491
