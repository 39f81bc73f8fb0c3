"""Simulated time, and the checks that every async test gets from it."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.testing import LeakedTasks, SimulatedLoop, SimulationError, run_realtime, run_simulated


async def test_time_jumps_to_exact_moments():
    loop = asyncio.get_running_loop()
    assert loop.time() == 0.0
    real = time.monotonic()
    await asyncio.sleep(3600.1)
    assert loop.time() == 3600.1
    assert time.monotonic() - real < 1


async def test_timers_fire_in_order_at_their_own_time():
    loop = asyncio.get_running_loop()
    fired = []
    for delay in (0.3, 0.1, 0.2, 0.1):
        loop.call_later(delay, lambda delay=delay: fired.append((delay, loop.time())))
    cancelled = loop.call_later(0.15, fired.append, "cancelled")
    cancelled.cancel()
    await asyncio.sleep(1)
    assert fired == [(0.1, 0.1), (0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]


async def test_timeouts_take_simulated_time():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(32):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() == 32


async def test_time_waits_for_threads():
    loop = asyncio.get_running_loop()
    ticks = []
    loop.call_later(0.001, ticks.append, "tick")
    assert await asyncio.to_thread(lambda: (time.sleep(0.02), 42)[1]) == 42
    assert loop.time() == 0.0
    assert ticks == []


async def test_time_waits_for_a_thread_of_ones_own():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    done = asyncio.Event()
    with loop.real_work():
        threading.Timer(0.01, loop.call_soon_threadsafe, (done.set,)).start()
        await asyncio.wait_for(done.wait(), 5)
    assert loop.time() == 0.0


def test_a_deadlock_says_who_waits_and_where():
    async def waiter() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.create_task(waiter(), name="the waiter")

    with pytest.raises(SimulationError, match=r"deadlock at 0 s") as caught:
        run_simulated(main())
    assert "the waiter" in str(caught.value)
    assert "test_clock.py" in str(caught.value)


def test_simulated_time_has_a_limit():
    async def main() -> None:
        for _ in itertools.count():
            await asyncio.sleep(10)

    with pytest.raises(SimulationError, match=r"not finished within 60 s of simulated time"):
        run_simulated(main(), max_time=60)


def test_spinning_is_found(monkeypatch):
    async def main() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    monkeypatch.setattr("sipua.testing.clock.MAX_TURNS", 1000)
    with pytest.raises(SimulationError, match="time stands still"):
        run_simulated(main())


def test_a_thread_that_hangs_is_found(monkeypatch):
    async def main() -> None:
        await asyncio.to_thread(time.sleep, 0.1)

    monkeypatch.setattr("sipua.testing.clock.MAX_REAL_WORK", 0.01)
    with pytest.raises(SimulationError, match="work in a thread"):
        run_simulated(main())


@pytest.mark.parametrize("run", [run_simulated, run_realtime])
def test_leaked_tasks_are_an_error_and_are_cancelled(run, monkeypatch):
    monkeypatch.setattr("sipua.testing.clock.REALTIME_GRACE", 0.01)
    ended = []

    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("cancelled")

    async def main() -> None:
        main.task = asyncio.create_task(background(), name="background")
        await asyncio.sleep(0)

    with pytest.raises(LeakedTasks, match="background") as caught:
        run(main())
    assert [task.get_name() for task in caught.value.tasks] == ["background"]
    assert ended == ["cancelled"]


@pytest.mark.parametrize("run", [run_simulated, run_realtime])
def test_failures_that_nobody_saw_are_errors(run):
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="failed unseen") as caught:
        run(main())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("run", [run_simulated, run_realtime])
def test_the_result_and_the_exception_come_out(run):
    async def good() -> str:
        await asyncio.sleep(0.001)
        return "result"

    async def bad() -> None:
        raise KeyError("bad")

    assert run(good()) == "result"
    with pytest.raises(KeyError, match="bad"):
        run(bad())


async def test_no_real_network():
    loop = asyncio.get_running_loop()
    with pytest.raises(RuntimeError, match="MemoryNetwork"):
        await loop.create_connection(asyncio.Protocol, "127.0.0.1", 9)
    with pytest.raises(RuntimeError, match="MemoryNetwork"):
        await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)


@pytest.mark.realtime
async def test_the_realtime_marker_gives_a_real_loop():
    assert not isinstance(asyncio.get_running_loop(), SimulatedLoop)
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()


@given(st.lists(st.floats(0, 86400), max_size=10))
async def test_property_tests_run_on_simulated_time_too(delays):
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(asyncio.sleep(delay) for delay in delays))
    # asyncio runs timers that are due within a nanosecond without waiting for them.
    assert loop.time() == pytest.approx(max(delays, default=0.0), abs=1e-9)
