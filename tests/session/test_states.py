"""The call's state table: complete, and without dead ends."""

from __future__ import annotations

import pytest

from sipua import InvalidStateError
from sipua.session.states import ESTABLISHED, IN_PROGRESS, TRANSITIONS, Event, State, advance, allowed


def test_nothing_leaves_ended() -> None:
    assert not [event for event in Event if allowed(State.ENDED, event)]


def test_every_state_can_be_reached() -> None:
    reached, new = {State.NULL}, {State.NULL}
    while new:
        new = {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached
        reached |= new
    assert reached == set(State)


def test_every_state_can_come_to_its_end() -> None:
    ending = {State.ENDED}
    while True:
        more = {before for (before, _), after in TRANSITIONS.items() if after in ending} - ending
        if not more:
            break
        ending |= more
    assert ending == set(State)


@pytest.mark.parametrize("state", [s for s in State if s is not State.ENDED])
@pytest.mark.parametrize("event", [Event.TERMINATE, Event.FAILURE])
def test_every_call_can_be_ended_by_the_application_and_by_failure(state: State, event: Event) -> None:
    assert advance(state, event) in (State.ENDED, State.CANCELING, State.BYE_DELAYED)


def test_states_are_of_one_kind() -> None:
    assert IN_PROGRESS | ESTABLISHED | {State.ENDED} == set(State)
    assert not IN_PROGRESS & ESTABLISHED


def test_what_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(InvalidStateError, match="answer is not possible in state ended"):
        advance(State.ENDED, Event.ANSWER)
