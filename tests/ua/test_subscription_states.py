"""The subscription's state table: complete, and without dead ends."""

from __future__ import annotations

import pytest

from sipua import InvalidStateError
from sipua.ua.subscription_states import AT_ONCE, LIVE, NEVER, TRANSITIONS, Event, State, advance


def test_nothing_leaves_terminated() -> None:
    assert not [event for (state, event) in TRANSITIONS if state is State.TERMINATED]


def test_every_state_can_be_reached_and_ended() -> None:
    reached, new = {State.INIT}, {State.INIT}
    while new:
        new = {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached
        reached |= new
    assert reached == set(State)
    for state in set(State) - {State.TERMINATED}:
        assert advance(state, Event.OVER) is State.TERMINATED


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_subscription_is_not_begun_again(state: State) -> None:
    with pytest.raises(InvalidStateError, match="SUBSCRIBE outside of a dialog is not possible in state"):
        advance(state, Event.SUBSCRIBE)


def test_no_reason_means_two_things() -> None:
    assert not AT_ONCE & NEVER
