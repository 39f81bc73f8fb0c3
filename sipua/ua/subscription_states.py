"""The states of a subscription as its subscriber sees it (:rfc:`6665#section-4.1.2`), and what its end means.

Theory of operation. A SUBSCRIBE makes the subscription wait for its first NOTIFY (NOTIFY_WAIT): only that makes it
PENDING or ACTIVE, whatever the answer to the SUBSCRIBE, and sometimes before that answer. A subscription that ended
and is to be had again waits (WAITING) for the time or the connection to subscribe anew. TERMINATED is final.
"""

from __future__ import annotations

import enum

from sipua.errors import InvalidStateError


class State(enum.StrEnum):
    """Where a subscription is."""

    INIT = "init"
    NOTIFY_WAIT = "notify_wait"
    PENDING = "pending"
    ACTIVE = "active"
    WAITING = "waiting"
    TERMINATED = "terminated"


class Event(enum.Enum):
    """What moves a subscription on."""

    SUBSCRIBE = "SUBSCRIBE outside of a dialog"
    NOTIFY_PENDING = "NOTIFY: pending"
    NOTIFY_ACTIVE = "NOTIFY: active"
    LOST = "over for now"
    OVER = "over for good"


S, E = State, Event

TRANSITIONS: dict[tuple[State, Event], State] = {
    (S.INIT, E.SUBSCRIBE): S.NOTIFY_WAIT,
    (S.INIT, E.LOST): S.WAITING,  # no connection yet
    (S.INIT, E.OVER): S.TERMINATED,
    (S.WAITING, E.SUBSCRIBE): S.NOTIFY_WAIT,
    (S.WAITING, E.OVER): S.TERMINATED,
    **{(state, E.NOTIFY_PENDING): S.PENDING for state in (S.NOTIFY_WAIT, S.PENDING, S.ACTIVE)},
    **{(state, E.NOTIFY_ACTIVE): S.ACTIVE for state in (S.NOTIFY_WAIT, S.PENDING, S.ACTIVE)},
    **{(state, E.LOST): S.WAITING for state in (S.NOTIFY_WAIT, S.PENDING, S.ACTIVE)},
    **{(state, E.OVER): S.TERMINATED for state in (S.NOTIFY_WAIT, S.PENDING, S.ACTIVE)},
}

#: There is a subscription.
LIVE = frozenset({S.PENDING, S.ACTIVE})

#: Reasons of a final NOTIFY after which a subscriber may have a new subscription at once (:rfc:`6665#section-4.1.3`).
AT_ONCE = frozenset({"deactivated", "timeout"})
#: Reasons after which it must not try again. With all others it waits.
NEVER = frozenset({"rejected", "noresource", "invariant"})

#: Packages with one subscription per SUBSCRIBE: other branches' NOTIFYs are refused (:rfc:`3856#section-6.9`,
#: :rfc:`3680#section-4.9`, :rfc:`4575#section-3.9`).
SINGLE = frozenset({"presence", "reg", "conference"})


def advance(state: State, event: Event) -> State:
    """The state after `event`.

    :raises InvalidStateError: the table has no such transition.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidStateError(event.value, state.value) from None
