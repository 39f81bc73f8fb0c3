"""The clock of all calls, on simulated time."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.engine.clock import MAX_CATCH_UP, TICK, AudioClock, Phase
from sipua.testing import SimulatedLoop, run_simulated


class Recorder:
    """Writes down when it was called."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.missed: list[int] = []

    def __call__(self, now: float, missed: int) -> None:
        self.times.append(now)
        self.missed.append(missed)


def hold_up(seconds: float) -> None:
    """The loop does nothing for so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    loop._now += seconds


async def test_one_clock_for_each_loop() -> None:
    clock = AudioClock.running()
    assert AudioClock.running() is clock
    assert not clock.ticking

    async def other() -> AudioClock:
        return AudioClock.running()

    assert await asyncio.to_thread(run_simulated, other()) is not clock


def test_a_clock_goes_with_its_loop() -> None:
    async def use() -> weakref.ref[AudioClock]:
        clock = AudioClock.running()
        clock.add(Phase.SEND, Recorder())
        await asyncio.sleep(1)
        return weakref.ref(clock)

    gone = run_simulated(use())
    gc.collect()
    assert gone() is None


async def test_an_hour_without_drift() -> None:
    clock, heard = AudioClock.running(), Recorder()
    start = asyncio.get_running_loop().time()
    clock.add(Phase.RECEIVE, heard)
    await asyncio.sleep(3600.01)
    assert len(heard.times) == 180001
    assert heard.times[-1] == pytest.approx(start + 3600, abs=1e-6)
    assert not any(heard.missed)
    clock.remove(Phase.RECEIVE, heard)
    assert not clock.ticking


async def test_a_first_tick_that_is_late_is_the_beginning() -> None:
    clock, heard = AudioClock.running(), Recorder()
    clock.add(Phase.SEND, heard)
    hold_up(0.07)
    await asyncio.sleep(0.1)
    clock.remove(Phase.SEND, heard)
    assert [round(b - a, 6) for a, b in pairwise(heard.times)] == [TICK] * (len(heard.times) - 1)
    assert len(heard.times) > 3


async def test_phases_come_in_their_order() -> None:
    clock, order = AudioClock.running(), []

    def member(name: str) -> tuple[str, object]:
        return name, lambda now, missed: order.append(name)

    for phase, (_, call) in [
        (Phase.SEND, member("send 1")),
        (Phase.MIX, member("mix")),
        (Phase.RECEIVE, member("receive 1")),
        (Phase.SEND, member("send 2")),
        (Phase.RECEIVE, member("receive 2")),
    ]:
        clock.add(phase, call)  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert order == ["receive 1", "receive 2", "mix", "send 1", "send 2"]


async def test_members_come_and_go_inside_a_tick() -> None:
    clock, late, victim = AudioClock.running(), Recorder(), Recorder()

    def changes(now: float, missed: int) -> None:
        clock.remove(Phase.RECEIVE, victim)
        clock.remove(Phase.RECEIVE, changes)
        clock.remove(Phase.RECEIVE, changes)
        clock.add(Phase.SEND, late)

    clock.add(Phase.RECEIVE, changes)
    clock.add(Phase.RECEIVE, victim)
    await asyncio.sleep(0.05)
    assert victim.times == []
    assert len(late.times) == 3  # in the same tick for the first time


async def test_the_last_one_leaves_inside_a_tick_and_another_comes() -> None:
    clock, heard = AudioClock.running(), Recorder()

    def leaves(now: float, missed: int) -> None:
        clock.remove(Phase.MIX, leaves)

    def swaps(now: float, missed: int) -> None:
        clock.remove(Phase.MIX, swaps)
        clock.add(Phase.RECEIVE, heard)

    clock.add(Phase.MIX, leaves)
    await asyncio.sleep(0.05)
    assert not clock.ticking
    clock.add(Phase.MIX, swaps)
    await asyncio.sleep(0.05)
    assert clock.ticking
    steps = [b - a for a, b in zip(heard.times, heard.times[1:], strict=False)]
    assert steps == pytest.approx([TICK] * len(steps))
    assert len(heard.times) in (2, 3)


async def test_who_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    clock, heard = AudioClock.running(), Recorder()

    def fails(now: float, missed: int) -> None:
        raise ZeroDivisionError

    clock.add(Phase.RECEIVE, fails)
    clock.add(Phase.RECEIVE, heard)
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(1)
    assert len(heard.times) in (50, 51)
    assert len(caplog.records) == 1


async def test_it_goes_on_when_a_tick_is_broken_off() -> None:
    clock, heard = AudioClock.running(), Recorder()

    def interrupted(now: float, missed: int) -> None:
        clock.remove(Phase.RECEIVE, interrupted)
        raise KeyboardInterrupt

    clock.add(Phase.RECEIVE, interrupted)
    clock.add(Phase.SEND, heard)
    with pytest.raises(KeyboardInterrupt):
        clock._tick()
    await asyncio.sleep(1)
    assert len(heard.times) >= 49
    clock.remove(Phase.SEND, heard)
    assert not clock.ticking


async def test_a_short_delay_is_made_up_for_without_a_burst() -> None:
    clock, heard = AudioClock.running(), Recorder()
    start = asyncio.get_running_loop().time()
    clock.add(Phase.SEND, heard)
    await asyncio.sleep(0.01)
    hold_up(0.08)
    await asyncio.sleep(0.5)
    assert not any(heard.missed)
    assert clock.missed == 0
    steps = [b - a for a, b in zip(heard.times, heard.times[1:], strict=False)]
    assert min(steps) >= TICK / 4 - 1e-9
    assert heard.times[-1] == pytest.approx(start + (len(heard.times) - 1) * TICK)


async def test_who_holds_up_the_loop_is_warned_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = AudioClock.running()
    for _ in range(10):
        clock.add(Phase.SEND, Recorder())
        hold_up(0.5)  # mishaps
        await asyncio.sleep(11)
    assert not caplog.records
    clock.add(Phase.RECEIVE, lambda now, missed: hold_up(0.1))
    await asyncio.sleep(50)
    assert [record.getMessage() for record in caplog.records] == [
        "the event loop is held up: 1.1 s are missing in the audio of all calls; "
        "does a source, a sink or a handler block?"
    ]
    await asyncio.sleep(50)
    assert len(caplog.records) == 2


async def test_a_long_delay_is_left_out_and_told() -> None:
    clock, heard = AudioClock.running(), Recorder()
    start = asyncio.get_running_loop().time()
    clock.add(Phase.SEND, heard)
    await asyncio.sleep(0.01)
    hold_up(1.0)
    await asyncio.sleep(0.5)
    assert sum(heard.missed) == clock.missed == 49
    assert [n for n in heard.missed if n] == [49]
    ticks = len(heard.times) + clock.missed
    assert heard.times[-1] == pytest.approx(start + (ticks - 1) * TICK)


@given(st.lists(st.floats(0.0, 0.5), max_size=20))
def test_ticks_and_missed_ones_are_the_time_that_passed(delays: list[float]) -> None:
    async def run() -> None:
        clock, heard, loop = AudioClock.running(), Recorder(), asyncio.get_running_loop()
        start = loop.time()
        clock.add(Phase.SEND, heard)
        for delay in delays:
            await asyncio.sleep(0.03)
            hold_up(delay)
        await asyncio.sleep(MAX_CATCH_UP + 0.1)
        ticks = len(heard.times) + sum(heard.missed)
        assert abs((loop.time() - start) / TICK - ticks) <= 1.0 + 1e-6

    run_simulated(run())
