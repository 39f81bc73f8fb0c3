"""The table of offer and answer in a call that is up: complete, and without dead ends."""

from __future__ import annotations

import pytest

from sipua.session.renegotiation import HELD, REFUSALS, TRANSITIONS, Phase, Step


def test_every_phase_can_be_reached_and_left() -> None:
    reached = {Phase.IDLE}
    while new := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= new
    assert reached == set(Phase)
    resting = {Phase.IDLE}
    while new := {before for (before, _), after in TRANSITIONS.items() if after in resting} - resting:
        resting |= new
    assert resting == set(Phase)


@pytest.mark.parametrize("phase", Phase)
def test_an_offer_of_the_peer_is_taken_or_refused_never_both(phase: Phase) -> None:
    assert ((phase, Step.OFFER_IN) in TRANSITIONS) != (phase in REFUSALS)


@pytest.mark.parametrize("phase", Phase)
def test_ours_begins_only_when_nothing_is_open(phase: Phase) -> None:
    assert ((phase, Step.OFFER) in TRANSITIONS) == (phase is Phase.IDLE)


def test_hold_never_sends_less_and_never_listens() -> None:
    assert set(HELD.values()) == {"sendonly", "inactive"}
    assert all(("send" in before) == ("send" in after) for before, after in HELD.items())
