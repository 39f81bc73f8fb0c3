from __future__ import annotations

import pytest

from sipua.sip.timers import Timers
from sipua.sip.transaction_states import (
    INVITE_CLIENT,
    INVITE_SERVER,
    INVITE_SERVER_PROXY,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    Machine,
    State,
    Timer,
    timer_durations,
)

MACHINES = {
    "invite client": (INVITE_CLIENT, State.CALLING),
    "invite server": (INVITE_SERVER, State.PROCEEDING),
    "invite server of a proxy": (INVITE_SERVER_PROXY, State.PROCEEDING),
    "non-invite client": (NON_INVITE_CLIENT, State.TRYING),
    "non-invite server": (NON_INVITE_SERVER, State.TRYING),
}


@pytest.fixture(params=MACHINES, ids=MACHINES.keys())
def machine(request) -> tuple[Machine, State]:
    return MACHINES[request.param]


def test_every_state_is_reached_and_all_ways_end(machine: tuple[Machine, State]):
    table, start = machine
    reached, new = set(), {start}
    while new:
        reached |= new
        new = {following for state in new for following, _ in table[state].transitions.values()} - reached
    assert reached == set(table)
    for state in table:
        ends, seen = {state}, set()
        while ends - seen:
            seen |= ends
            ends = {following for s in ends for following, _ in table[s].transitions.values()} | ends
        assert State.TERMINATED in seen, state


def test_a_timer_that_runs_in_a_state_is_handled_there_and_no_other(machine: tuple[Machine, State]):
    table, _ = machine
    for state, row in table.items():
        handled = {what for what in row.transitions if isinstance(what, Timer)} - {Timer.CANCELLED}
        assert handled == {timer for timer in (row.repeat, row.end) if timer is not None}, state


def test_what_ends_a_state_leads_on(machine: tuple[Machine, State]):
    table, _ = machine
    for state, row in table.items():
        if row.end is not None and row.end is not Timer.C:
            assert row.transitions[row.end][0] is not state


def test_nothing_leads_out_of_the_end(machine: tuple[Machine, State]):
    row = machine[0][State.TERMINATED]
    assert row == ({}, None, None)


def test_the_tables_name_every_timer_and_input():
    named = {what for table, _ in MACHINES.values() for row in table.values() for what in row.transitions}
    assert named == {*Timer, *Input}
    assert len(named) == len(Timer) + len(Input)


def test_the_durations_of_rfc_3261_table_4():
    unreliable = timer_durations(Timers(), reliable=False)
    assert unreliable == {
        Timer.A: 0.5,
        Timer.B: 32.0,
        Timer.C: None,
        Timer.D: 32.0,
        Timer.E: 0.5,
        Timer.F: 32.0,
        Timer.G: 0.5,
        Timer.H: 32.0,
        Timer.I: 5.0,
        Timer.J: 32.0,
        Timer.K: 5.0,
        Timer.L: 32.0,
        Timer.M: 32.0,
        Timer.TRYING: 0.2,
        Timer.LATE_TRYING: 3.5,
        Timer.ACCEPTED: 0.5,
        Timer.CANCELLED: 32.0,
        Timer.ANSWER: 32.0,
    }
    reliable = timer_durations(Timers(), reliable=True)
    changed = {timer: value for timer, value in reliable.items() if value != unreliable[timer]}
    assert changed == {
        **dict.fromkeys((Timer.A, Timer.E, Timer.G), None),
        **dict.fromkeys((Timer.D, Timer.I, Timer.J, Timer.K), 0.0),
    }
