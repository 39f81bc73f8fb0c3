"""The states of a call and the events that move it from one to the next: the whole machine, in one table.

Theory of operation. An outgoing call first lets media make an offer (OFFERING), sends the INVITE (INVITE_SENT) and
hears provisional responses (PROCEEDING) until a 2xx makes it CONFIRMED: the ACK goes out at once, so there is no
state between. An incoming call waits for the application (INCOMING), lets media make the answer (ANSWERING),
sends the 2xx and waits (WAITING_FOR_ACK) until the ACK makes it CONFIRMED.

Ending takes a state of its own only where the protocol makes us wait: a CANCEL that was sent, or is due after the
first provisional response, waits for the INVITE's final response (CANCELING, :rfc:`3261#section-9.1`), and a BYE
may not be sent before the ACK (BYE_DELAYED, :rfc:`3261#section-15`). ENDED is final: nothing leaves it, and late
messages are answered without it.

What is not in the table cannot happen: `advance` raises `InvalidStateError`.
"""

from __future__ import annotations

import enum

from sipua.errors import InvalidStateError


class State(enum.Enum):
    """Where a call is."""

    NULL = "null"
    OFFERING = "offering"
    INVITE_SENT = "invite sent"
    PROCEEDING = "proceeding"
    CANCELING = "canceling"
    INCOMING = "incoming"
    ANSWERING = "answering"
    WAITING_FOR_ACK = "waiting for ACK"
    BYE_DELAYED = "BYE delayed"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Event(enum.Enum):
    """What moves a call on."""

    CALL = "call"  # the application calls somebody
    INVITE_OUT = "INVITE sent"
    PROVISIONAL = "1xx received"
    ACCEPTED_IN = "2xx received"
    REFUSED_IN = "final response of 300 or more, or none"
    REDIRECTED = "refused, and there is somebody else to call"
    INVITE_IN = "INVITE received"
    ANSWER = "answer"  # the application takes the call
    ACCEPTED_OUT = "2xx sent"
    ACK_IN = "ACK received"
    ACK_MISSING = "no ACK in time"
    TERMINATE = "terminate"  # the application, or a timer of ours, ends it
    CANCEL_IN = "CANCEL received"
    BYE_IN = "BYE received"
    FAILURE = "failure"  # transport, media or a bug of ours


S, E = State, Event

TRANSITIONS: dict[tuple[State, Event], State] = {
    # outgoing
    (S.NULL, E.CALL): S.OFFERING,
    (S.NULL, E.TERMINATE): S.ENDED,
    (S.NULL, E.FAILURE): S.ENDED,
    (S.OFFERING, E.INVITE_OUT): S.INVITE_SENT,
    (S.OFFERING, E.TERMINATE): S.ENDED,  # nothing was sent: nothing is
    (S.OFFERING, E.FAILURE): S.ENDED,
    (S.OFFERING, E.REFUSED_IN): S.ENDED,  # a redirection that nobody wants to follow
    (S.INVITE_SENT, E.PROVISIONAL): S.PROCEEDING,
    (S.INVITE_SENT, E.ACCEPTED_IN): S.CONFIRMED,
    (S.INVITE_SENT, E.REFUSED_IN): S.ENDED,
    (S.INVITE_SENT, E.REDIRECTED): S.OFFERING,  # as before the INVITE: the next one goes to another target
    (S.INVITE_SENT, E.TERMINATE): S.CANCELING,
    (S.INVITE_SENT, E.FAILURE): S.CANCELING,
    (S.PROCEEDING, E.PROVISIONAL): S.PROCEEDING,
    (S.PROCEEDING, E.ACCEPTED_IN): S.CONFIRMED,
    (S.PROCEEDING, E.REFUSED_IN): S.ENDED,
    (S.PROCEEDING, E.REDIRECTED): S.OFFERING,
    (S.PROCEEDING, E.TERMINATE): S.CANCELING,
    (S.PROCEEDING, E.FAILURE): S.CANCELING,
    (
        S.PROCEEDING,
        E.BYE_IN,
    ): S.CANCELING,  # out of order, yet the peer is gone: the INVITE still needs its end
    (S.CANCELING, E.PROVISIONAL): S.CANCELING,
    (S.CANCELING, E.ACCEPTED_IN): S.ENDED,  # the 2xx crossed the CANCEL: ACK, then BYE
    (S.CANCELING, E.REFUSED_IN): S.ENDED,
    (S.CANCELING, E.TERMINATE): S.CANCELING,
    (S.CANCELING, E.FAILURE): S.CANCELING,
    (S.CANCELING, E.BYE_IN): S.CANCELING,
    # incoming
    (S.NULL, E.INVITE_IN): S.INCOMING,
    (S.INCOMING, E.ANSWER): S.ANSWERING,
    (S.INCOMING, E.TERMINATE): S.ENDED,
    (S.INCOMING, E.CANCEL_IN): S.ENDED,
    (S.INCOMING, E.BYE_IN): S.ENDED,
    (S.INCOMING, E.FAILURE): S.ENDED,
    (S.ANSWERING, E.ACCEPTED_OUT): S.WAITING_FOR_ACK,
    (S.ANSWERING, E.TERMINATE): S.ENDED,
    (S.ANSWERING, E.CANCEL_IN): S.ENDED,
    (S.ANSWERING, E.BYE_IN): S.ENDED,
    (S.ANSWERING, E.FAILURE): S.ENDED,
    (S.WAITING_FOR_ACK, E.ACK_IN): S.CONFIRMED,
    (S.WAITING_FOR_ACK, E.ACK_MISSING): S.ENDED,
    (S.WAITING_FOR_ACK, E.TERMINATE): S.BYE_DELAYED,
    (S.WAITING_FOR_ACK, E.BYE_IN): S.ENDED,
    (S.WAITING_FOR_ACK, E.FAILURE): S.BYE_DELAYED,
    (S.BYE_DELAYED, E.ACK_IN): S.ENDED,
    (S.BYE_DELAYED, E.ACK_MISSING): S.ENDED,
    (S.BYE_DELAYED, E.BYE_IN): S.ENDED,
    (S.BYE_DELAYED, E.TERMINATE): S.BYE_DELAYED,
    (S.BYE_DELAYED, E.FAILURE): S.BYE_DELAYED,
    # both
    (S.CONFIRMED, E.TERMINATE): S.ENDED,
    (S.CONFIRMED, E.BYE_IN): S.ENDED,
    (S.CONFIRMED, E.FAILURE): S.ENDED,
}

IN_PROGRESS = frozenset(
    {S.NULL, S.OFFERING, S.INVITE_SENT, S.PROCEEDING, S.CANCELING, S.INCOMING, S.ANSWERING}
)
ESTABLISHED = frozenset({S.WAITING_FOR_ACK, S.BYE_DELAYED, S.CONFIRMED})


def allowed(state: State, event: Event) -> bool:
    """Whether `event` may happen in `state`."""
    return (state, event) in TRANSITIONS


def advance(state: State, event: Event) -> State:
    """The state after `event`.

    :raises InvalidStateError: the table has no such transition.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidStateError(event.value, state.value) from None
