from __future__ import annotations

import random

import pytest

from sipua.sip.timers import Deadlines, Timers


def test_the_defaults_are_those_of_rfc_3261():
    timers = Timers()
    assert (timers.t1, timers.t2, timers.t4) == (0.5, 4.0, 5.0)
    assert timers.timeout == 32.0


@pytest.mark.parametrize(
    ("t1", "late"), [(0.5, 3.5), (1.0, 3.0), (4.0, 4.0), (0.1, 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2)]
)
def test_a_late_100_comes_when_timer_e_has_grown_to_t2(t1: float, late: float):
    assert Timers(t1=t1).late_trying == pytest.approx(late)


@pytest.mark.parametrize("bad", [{"t1": 0}, {"t1": 5.0}, {"t2": 0.1}, {"t4": -1}, {"trying": 0}])
def test_nonsense_is_refused(bad: dict[str, float]):
    with pytest.raises(ValueError, match="timers must be positive"):
        Timers(**bad)


def test_deadlines_fire_in_order_and_equal_ones_in_order_of_start():
    deadlines: Deadlines[str] = Deadlines()
    for when, owner in ((2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b")):
        deadlines.start(when, owner, owner.upper())
    assert deadlines.next() == 1.0
    assert len(deadlines) == 4
    assert deadlines.pop(0.9) is None
    assert [deadlines.pop(2.0) for _ in range(5)] == [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D"), None]
    assert deadlines.next() is None
    assert len(deadlines) == 0


def test_a_cancelled_deadline_is_skipped_and_lets_go_of_its_owner():
    deadlines: Deadlines[str] = Deadlines()
    first = deadlines.start(1.0, "a", "A")
    deadlines.start(2.0, "b", "B")
    deadlines.cancel(first)
    deadlines.cancel(first)
    assert first.owner is None
    assert len(deadlines) == 1
    assert deadlines.pop(1.5) is None
    assert deadlines.pop(2.5) == ("b", "B")
    deadlines.cancel(first)
    assert len(deadlines) == 0


def test_a_cancelled_deadline_is_skipped_by_next():
    deadlines: Deadlines[str] = Deadlines()
    first = deadlines.start(1.0, "a", "A")
    deadlines.start(2.0, "b", "B")
    deadlines.cancel(first)
    assert deadlines.next() == 2.0


def test_the_dead_do_not_pile_up():
    deadlines: Deadlines[int] = Deadlines()
    for number in range(100_000):
        deadlines.cancel(deadlines.start(1e9 + number, number, "B"))
    assert len(deadlines) == 0
    assert len(deadlines._heap) < 200


def test_any_mix_of_starts_and_cancels_fires_what_is_left_in_order():
    rand = random.Random(4)
    deadlines: Deadlines[int] = Deadlines()
    running = {}
    for number in range(2000):
        when = rand.uniform(0, 100)
        running[number] = (when, deadlines.start(when, number, "x"))
        if rand.random() < 0.6:
            victim = rand.choice([*running])
            deadlines.cancel(running.pop(victim)[1])
    assert len(deadlines) == len(running)
    fired = []
    while (due := deadlines.pop(100.0)) is not None:
        fired.append(due[0])
    assert fired == sorted(running, key=lambda number: running[number][0])
